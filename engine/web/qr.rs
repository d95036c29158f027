//! A picture that a device reads, drawn as the path of an SVG, one square a module.

use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;

/// The light margin that readers want, in modules.
const MARGIN: i32 = 4;

/// Size and path; nothing for a text that is too long for a picture.
pub fn path(text: &str) -> Option<Json> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + MARGIN, y + MARGIN);
        }
    }
    Some(json!({ "size": code.size() + 2 * MARGIN, "path": path }))
}
