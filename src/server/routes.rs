//! The tables of routes, and how a request gets to its handler.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::response::Response;
use axum::routing::any;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode, Uri};
use tower_service::Service;

use super::answer::{self, Answer};
use super::call::Call;
use super::log_context::LogContext;
use super::proxy::address;
use super::versions::Target;
use super::{
    Server, cache, data, images, imports, locations, members, metadefs, request_id, schemas,
    stores, tasks,
};
use crate::model::Caller;
use crate::service::Regions;

/// A function that responds to a request.
pub type Handler = fn(Call) -> BoxFuture<'static, Answer>;

/// A path and its methods.
pub struct Route {
    /// The path below the version, with `{names}` for its variable parts.
    pub path: &'static str,
    /// The methods and their handlers.
    pub methods: &'static [(Method, Handler)],
    /// Whether the path is unknown for other methods, which is the case where the reference implementation does not list the
    /// methods of a path.
    pub has_only_these: bool,
}

/// Declares the table of a resource: `"/path" => GET show, DELETE delete;`. A path after `only` is unknown for other methods.
macro_rules! routes {
    ($($($only:ident)? $path:literal => $($method:ident $handler:path),+;)*) => {
        /// The routes of the resource.
        pub(in crate::server) const ROUTES: &[$crate::server::routes::Route] = &[
            $($crate::server::routes::Route {
                path: $path,
                methods: &[$((::http::Method::$method, |call| Box::pin($handler(call)))),+],
                has_only_these: {
                    const MARKS: &[&str] = &[$(stringify!($only))?];
                    !MARKS.is_empty()
                },
            }),*
        ];
    };
}
pub(super) use routes;

/// The tables of all resources.
const TABLES: &[&[Route]] = &[
    images::ROUTES,
    data::ROUTES,
    imports::ROUTES,
    locations::ROUTES,
    members::ROUTES,
    tasks::ROUTES,
    stores::ROUTES,
    cache::ROUTES,
    schemas::ROUTES,
    metadefs::namespaces::ROUTES,
    metadefs::objects::ROUTES,
    metadefs::properties::ROUTES,
    metadefs::tags::ROUTES,
    metadefs::resource_types::ROUTES,
];

/// Returns all routes.
pub fn all() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().copied().flatten()
}

/// The server and the caller of a request, on its way to the handler.
#[derive(Clone)]
struct Context {
    server: Arc<Server>,
    caller: Caller,
    regions: Option<Arc<dyn Regions>>,
}

/// Returns the table of paths. It is built once.
fn router() -> Router {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    let build = || {
        let mut router = Router::new();
        for route in all() {
            let handler =
                move |State(route): State<&'static Route>, parameters: RawPathParams, request| {
                    handle(route, parameters, request)
                };
            router = router.route(route.path, any(handler).with_state(route));
        }
        router.fallback(
            |request: Request| async move { unknown(request.method(), request.headers()) },
        )
    };
    ROUTER.get_or_init(build).clone()
}

/// Returns the response to a request for an unknown path.
fn unknown(method: &Method, headers: &HeaderMap) -> Response<Body> {
    let status = match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::PATCH => StatusCode::NOT_FOUND,
        _ => StatusCode::NOT_IMPLEMENTED,
    };
    answer::refused(status, "The resource could not be found.", headers)
}

/// Calls the handler of a route for the method of a request.
async fn handle(
    route: &'static Route,
    parameters: RawPathParams,
    request: Request,
) -> Response<Body> {
    if let Some(context) = LogContext::current() {
        context.set_route(route.path);
    }
    let (mut parts, body) = request.into_parts();
    let mut methods = route.methods.iter();
    let Some((_, handler)) = methods.find(|(method, _)| *method == parts.method) else {
        if route.has_only_these {
            return unknown(&parts.method, &parts.headers);
        }
        let allowed: Vec<Method> = route
            .methods
            .iter()
            .map(|(method, _)| method.clone())
            .collect();
        return answer::method_not_allowed(&parts.method, &allowed, &parts.headers);
    };
    let Some(context) = parts.extensions.remove::<Context>() else {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return answer::refused(status, "The request has no caller.", &parts.headers);
    };
    let Context {
        server,
        caller,
        regions,
    } = context;
    let headers = parts.headers.clone();
    let parameters = parameters
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let call = Call {
        service: server.deployment.act_as(caller, regions),
        parameters: parameters.collect(),
        server,
        parts,
        body,
    };
    match handler(call).await {
        Ok(response) => response,
        Err(error) => answer::refusal(&error, &headers),
    }
}

/// Returns the response to a request.
pub async fn answer(server: Arc<Server>, request: Request) -> Response<Body> {
    let headers = request.headers();
    let id = match request_id::of(headers, server.settings.request_id_limit) {
        Ok(id) => id,
        Err(error) => return answer::refusal(&error, headers),
    };
    if let Some(context) = LogContext::current() {
        context.set_id(&id);
    }
    let mut response = respond(server, request, &id).await;
    if let Some(value) = request_id::value(&id) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    response
}

async fn respond(server: Arc<Server>, request: Request, id: &str) -> Response<Body> {
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let target = server.features.target(request.uri().path(), accept);
    let path = match target {
        Target::Resource(path) => path.to_string(),
        Target::Versions => return versions(&server, StatusCode::OK, &request),
        Target::Unknown => return versions(&server, StatusCode::MULTIPLE_CHOICES, &request),
    };
    let (parts, body) = request.into_parts();
    let mut caller = match server.identity.identify(&parts).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal.response(&parts.headers),
    };
    let regions = server.identity.regions(&parts);
    let mut request = Request::from_parts(parts, body);
    caller.request_id = Some(id.to_string());
    if let Some(context) = LogContext::current() {
        context.set_caller(&caller);
    }
    if path.is_empty() {
        return to_the_root(&server, &request);
    }
    let query = request.uri().query().map(|query| format!("?{query}"));
    let inner = format!("{path}{}", query.unwrap_or_default());
    let inner = if inner.starts_with('/') {
        inner
    } else {
        format!("/{inner}")
    };
    let Ok(uri) = Uri::try_from(inner) else {
        let message = "The path is not a valid address.";
        return answer::refused(StatusCode::BAD_REQUEST, message, request.headers());
    };
    *request.uri_mut() = uri;
    request.extensions_mut().insert(Context {
        server,
        caller,
        regions,
    });
    match router().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Returns the address of the server that the client uses, without a slash at the end.
fn base(server: &Server, headers: &HeaderMap) -> String {
    let settings = &server.settings;
    let url = settings.public_endpoint.clone().unwrap_or_else(|| {
        let (is_tls, proxied) = (settings.tls.is_some(), settings.proxy_headers);
        address(headers, is_tls, proxied)
    });
    url.trim_end_matches('/').to_string()
}

/// Redirects from a version without a slash to the same with one, as the reference implementation does.
fn to_the_root(server: &Server, request: &Request) -> Response<Body> {
    let url = format!(
        "{}{}/",
        base(server, request.headers()),
        request.uri().path()
    );
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(url) = HeaderValue::try_from(url) {
        response.headers_mut().insert(LOCATION, url);
    }
    response
}

/// Returns the list of the versions.
fn versions(server: &Server, status: StatusCode, request: &Request) -> Response<Body> {
    let url = base(server, request.headers());
    let list = server.features.versions(&url);
    match answer::json_of(status, &list) {
        Ok(response) => response,
        Err(error) => answer::refusal(&error, request.headers()),
    }
}
