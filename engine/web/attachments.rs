//! Files of a form, and files of an item: taken in one by one with what is wrong said beside the control, and given only to whoever may see
//! the field in which they stand.

use super::Web;
use super::form::Form;
use super::page;
use super::session::{Sheet, Visitor};
use super::sheet::Arrived;
use super::trouble::Trouble;
use crate::app::attachments::{NotKept, OfItem};
use crate::app::look::Look;
use crate::kernel::model::attached::Attached;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use axum::extract::{Path, Query};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// What a browser shows by itself, without anything of it being run.
const VIEWED: [&str; 3] = ["image/png", "image/jpeg", "application/pdf"];

/// Keeps the files that came with a form; the sheet speaks of them from now on. The first that is not taken is why the form comes back, and
/// the others stay chosen.
pub async fn take(
    web: &Web,
    visitor: &Visitor,
    form: &Form<'_>,
    sheet: &mut Sheet,
    files: Vec<Arrived>,
) -> Result<Option<Refusal>, Trouble> {
    // Whoever may not do it is told so by whoever decides, and leaves nothing behind.
    if form.by.is_none() {
        return Ok(None);
    }
    let mut no = None;
    for file in files {
        let Some((input, title)) = form.asked_file(&file.control) else {
            let values =
                vec![("action".into(), form.action.title.clone()), ("input".into(), file.control), ("known".into(), String::new())];
            let says = visitor.say("attach.unasked", &[("name", &file.name)]);
            no.get_or_insert(Refusal { code: RefusalCode::UnknownInput, sentence: Some(says), rule: None, values });
            continue;
        };
        match visitor.app.hand_in(&web.attachments, &visitor.person, &file.name, &file.content).await {
            Ok(kept) => sheet.put_in_front(&file.control, kept.to_string()),
            Err(NotKept::Unfit(why)) => {
                let (largest, kinds) = (web.attachments.megabytes(), web.attachments.endings());
                let values = [("name", file.name.as_str()), ("title", title), ("largest", &largest), ("kinds", &kinds)];
                let sentence = Some(visitor.say(&format!("attach.{why}"), &values));
                let values = vec![("input".to_string(), input.to_string()), ("title".to_string(), title.to_string())];
                no.get_or_insert(Refusal { code: RefusalCode::BadInput, sentence, rule: None, values });
            }
            Err(NotKept::Store(error)) => return Err(error.into()),
        }
    }
    Ok(no)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct How {
    view: Option<String>,
}

/// A file of an item, to keep or, of what can be shown safely, to look at.
pub async fn file(visitor: Visitor, Path((id, digest)): Path<(String, String)>, Query(how): Query<How>) -> Result<Response, Trouble> {
    let look = visitor.app.look(&id, Some(visitor.person.clone())).await?.ok_or_else(|| Trouble::unknown_item(&id))?;
    let files = look.files()?;
    let of_digest = || files.iter().filter(|of| of.file.digest == digest);
    let Some(of) = of_digest().find(|of| of.seen) else {
        // Whether it is there is as hidden as what it says.
        if of_digest().next().is_some() {
            visitor.shut_out().await;
        }
        return Err(Trouble::not_found());
    };
    let content = visitor.app.store.content(&digest).await?.ok_or_else(Trouble::not_found)?;
    Ok(given(&of.file, content, how.view.is_some()))
}

/// Nothing of it is run, whatever it is, and nothing of it is fetched.
fn given(file: &Attached, content: Vec<u8>, view: bool) -> Response {
    let view = view && VIEWED.contains(&file.media.as_str());
    let plain: String =
        file.name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect();
    let way = if view { "inline" } else { "attachment" };
    let disposition = format!("{way}; filename=\"{plain}\"; filename*=UTF-8''{}", page::encoded(&file.name));
    let media = if file.media.starts_with("text/") { "application/octet-stream" } else { &file.media };
    let text = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("attachment"));
    let head = [
        (header::CONTENT_TYPE, text(media)),
        (header::CONTENT_DISPOSITION, text(&disposition)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    (head, content).into_response()
}

/// The files of an item that this person may see.
pub fn list(look: &Look, visitor: &Visitor) -> Result<Vec<Json>, Trouble> {
    let row = |of: &OfItem| {
        let Attached { digest, size, media, name } = &of.file;
        let to = format!("/items/{}/files/{digest}", page::encoded(&look.item.id));
        json!({
            "to": to,
            "view": VIEWED.contains(&media.as_str()).then(|| format!("{to}?view=1")),
            "name": name,
            "size": size_of(*size),
            "kind": name.rsplit_once('.').map(|(_, ending)| ending.to_uppercase()),
            "title": of.title,
            "who": look.actor(of.fact, visitor.lang()),
            "when": visitor.moment(of.fact.recorded_at),
            "digest": digest,
        })
    };
    Ok(look.files()?.iter().filter(|of| of.seen).map(row).collect())
}

/// Bytes as people read them.
pub fn size_of(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KB", bytes.div_ceil(1024)),
        _ => format!("{}.{} MB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20),
    }
}
