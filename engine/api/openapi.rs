//! The OpenAPI document: routes and types describe themselves; here stands what is true of all of them.

use super::problem::PROBLEM_JSON;
use super::scopes;
use axum::http::Method;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder, SecurityRequirement};
use utoipa::{OpenApi as _, PartialSchema, ToSchema};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "duban", description = "Deadline-driven casework: items, actions with the sentence of each refusal, outbox, reports.
Times are instants in UTC, days are civil dates of the rule set's zone. Sentences follow `Accept-Language` (zh, en)."),
    tags((name = "items"), (name = "actions"), (name = "explain"), (name = "imports"), (name = "outbox"), (name = "reports"), (name = "webhooks"))
)]
struct Head;

/// What every document begins with.
pub fn head() -> OpenApi {
    Head::openapi()
}

/// Adds the token, and the problems with which any request may be answered.
pub fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::default);
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let mut schemas = Vec::new();
    super::problem::ProblemDetails::schemas(&mut schemas);
    schemas.push((super::problem::ProblemDetails::name().into_owned(), super::problem::ProblemDetails::schema()));
    for (name, schema) in schemas {
        components.schemas.insert(name, schema);
    }
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in [(Method::GET, &mut item.get), (Method::POST, &mut item.post)] {
            let Some(operation) = operation else { continue };
            // What a token that a person made has to be for.
            operation.security = Some(vec![SecurityRequirement::new("token", [scopes::needed(&method, path).word()])]);
            add_problems(operation);
        }
    }
}

const READING: &[(&str, &str)] = &[
    ("400", "The query, a header or the body cannot be read"),
    ("401", "No token, or one that opens nothing"),
    ("403", "Not for this person"),
    ("404", "There is no such thing"),
    ("409", "A rule failed"),
    ("422", "What was sent cannot be meant; `errors` points at it"),
    ("503", "The database cannot be used now; repeat it"),
];
const WRITING: &[(&str, &str)] = &[
    ("408", "The body did not arrive in time"),
    ("409", "Not as things stand, with the sentence of the rule"),
    ("412", "The item has changed since it was seen"),
    ("413", "The body is too large"),
    ("415", "Another type of content is wanted"),
];
/// Of what is done once under a key.
const KEYED: &[(&str, &str)] = &[
    (
        "422",
        "What was sent cannot be meant; `errors` points at it. Also: the idempotency key was used before for another request (`command_reused`)",
    ),
    ("503", "The database cannot be used now; repeat it with the same key"),
];

fn add_problems(operation: &mut Operation) {
    let writing = if operation.request_body.is_some() { WRITING } else { &[] };
    let is_key = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(one) if one.name.eq_ignore_ascii_case("idempotency-key"));
    let has_key = operation.parameters.iter().flatten().any(is_key);
    let keyed = if has_key { KEYED } else { &[] };
    for (status, description) in READING.iter().chain(writing).chain(keyed) {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemDetails"))).build();
        let response = ResponseBuilder::new().description(*description).content(PROBLEM_JSON, content).build();
        operation.responses.responses.insert(status.to_string(), RefOr::T(response));
    }
}
