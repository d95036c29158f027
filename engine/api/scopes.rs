//! What a token that a person made has to be for, by the route that is asked.

use crate::app::tokens::Scope;
use axum::http::Method;

/// By the path of a route, as it stands in the OpenAPI document.
pub fn needed(method: &Method, route: &str) -> Scope {
    let path = route.strip_prefix("/api/v1").unwrap_or(route);
    let is = |under: &str| path == under || path.strip_prefix(under).is_some_and(|rest| rest.starts_with('/'));
    match () {
        () if is("/webhooks") || is("/deliveries") => Scope::Webhooks,
        () if is("/reports") => Scope::Reports,
        () if is("/imports") || is("/exports") => Scope::Lists,
        () if *method == Method::GET || *method == Method::HEAD => Scope::Read,
        () => Scope::Act,
    }
}
