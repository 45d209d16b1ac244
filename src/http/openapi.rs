//! The OpenAPI document, which is generated from the code, and the Swagger UI page.

use axum::{
    Router,
    http::{HeaderValue, header},
};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Ref, ResponseBuilder,
        content::ContentBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::SwaggerUi;

use super::{App, problem::ProblemDetails};

#[derive(OpenApi)]
#[openapi(
    info(title = "Countersign", description = "A self-hosted chatbot backend for online stores: the model proposes, a person countersigns."),
    components(schemas(ProblemDetails)),
    modifiers(&Security),
    tags((name = "sign-in"), (name = "sessions"), (name = "chat"), (name = "orders"), (name = "proposals"), (name = "staff"), (name = "webhooks"), (name = "operations"))
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The token of a session or an API key."))
            .build();
        components.add_security_scheme("session", SecurityScheme::Http(bearer));
        let key = ApiKeyValue::with_description("X-Store-Key", "The store's publishable key.");
        components.add_security_scheme("store_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        document.security = Some(vec![SecurityRequirement::new("session", [""; 0])]);
    }
}

/// The document without its routes, which are added to it.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Adds the answers that any route may give, so that no route has to document them.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            for (status, description) in [
                ("429", "Too many requests; wait as long as Retry-After says."),
                ("500", "A fault of the service."),
                ("503", "The service is not available right now."),
            ] {
                let problem = ContentBuilder::new()
                    .schema(Some(Ref::from_schema_name("ProblemDetails")))
                    .build();
                let response = ResponseBuilder::new()
                    .description(description)
                    .content("application/problem+json", problem)
                    .build();
                operation
                    .responses
                    .responses
                    .entry(status.into())
                    .or_insert_with(|| response.into());
            }
        }
    }
}

/// Serves `/openapi.json` and `/docs`.
pub fn pages(document: utoipa::openapi::OpenApi) -> Router<App> {
    // Swagger UI needs inline styles; nothing else inline is allowed.
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";
    Router::from(SwaggerUi::new("/docs").url("/openapi.json", document)).layer(SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    ))
}
