//! Every route: surface, method, path, handler.

use std::{pin::Pin, sync::Arc};

use hyper::{
    Method, Request, StatusCode,
    header::{ALLOW, HeaderValue},
};

use super::{
    answer::{Answer, line},
    control, metrics, page,
    world::World,
};
use crate::settings::Surface;

/// A route.
struct Route {
    surface: Surface,
    method: Method,
    /// All of it; parameters are in the query.
    path: &'static str,
    handler: Handler,
}

/// Answers a request, whose body is whole.
type Handler = fn(Request<Vec<u8>>, Arc<World>) -> Answering;

/// An answer under way.
pub(super) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The table. HEAD is served wherever GET is.
static ROUTES: &[Route] = &[
    Route {
        surface: Surface::Control,
        method: Method::POST,
        path: "/v1/drop",
        handler: |request, world| {
            Box::pin(async move { control::drop(request.uri(), world).await })
        },
    },
    Route {
        surface: Surface::Control,
        method: Method::POST,
        path: "/v1/hand-over",
        handler: |request, world| {
            Box::pin(async move { control::upgrade::hand_over(request, world) })
        },
    },
    Route {
        surface: Surface::Control,
        method: Method::GET,
        path: "/v1/held",
        handler: |request, world| Box::pin(async move { control::held(request.uri(), world) }),
    },
    Route {
        surface: Surface::Control,
        method: Method::GET,
        path: "/v1/process",
        handler: |request, _| Box::pin(async move { control::upgrade::process(&request) }),
    },
    Route {
        surface: Surface::Control,
        method: Method::POST,
        path: "/v1/reload",
        handler: |_, world| Box::pin(control::reload(world)),
    },
    Route {
        surface: Surface::Control,
        method: Method::GET,
        path: "/v1/status",
        handler: |_, world| Box::pin(control::status(world)),
    },
    Route {
        surface: Surface::Metrics,
        method: Method::GET,
        path: "/health",
        handler: |_, world| Box::pin(async move { metrics::health(&world) }),
    },
    Route {
        surface: Surface::Metrics,
        method: Method::GET,
        path: "/metrics",
        handler: |request, world| Box::pin(async move { metrics::scrape(&request, world).await }),
    },
    Route {
        surface: Surface::Metrics,
        method: Method::GET,
        path: "/ready",
        handler: |_, world| Box::pin(async move { metrics::ready(&world).await }),
    },
    Route {
        surface: Surface::Web,
        method: Method::GET,
        path: "/",
        handler: |request, world| Box::pin(page::index(request, world)),
    },
    Route {
        surface: Surface::Web,
        method: Method::GET,
        path: "/events",
        handler: |request, world| Box::pin(async move { page::events(&request, world) }),
    },
    Route {
        surface: Surface::Web,
        method: Method::GET,
        path: "/icon.svg",
        handler: |request, world| Box::pin(async move { page::icon(&request, &world) }),
    },
    Route {
        surface: Surface::Web,
        method: Method::GET,
        path: "/page.js",
        handler: |request, world| Box::pin(async move { page::program(&request, &world) }),
    },
    Route {
        surface: Surface::Web,
        method: Method::GET,
        path: "/style.css",
        handler: |request, world| Box::pin(async move { page::style(&request, &world) }),
    },
];

/// Why there is no handler for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// The path has these methods.
    Method(String),
    /// The path is not among those of the surface.
    Path,
}

/// The handler of a request.
pub(super) fn find(surface: Surface, method: &Method, path: &str) -> Result<Handler, Miss> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let own = || ROUTES.iter().filter(|route| route.surface == surface && route.path == path);
    if let Some(route) = own().find(|route| route.method == *method) {
        return Ok(route.handler);
    }
    let names = own().map(|route| match &route.method {
        &Method::GET => "GET, HEAD",
        method => method.as_str(),
    });
    let names: Vec<_> = names.collect();
    Err(if names.is_empty() { Miss::Path } else { Miss::Method(names.join(", ")) })
}

impl Miss {
    /// What the client is told.
    pub(super) fn answer(self, surface: Surface) -> Answer {
        match self {
            Self::Method(names) => {
                let what = format!("method not allowed; use {names}");
                let mut answer = line(StatusCode::METHOD_NOT_ALLOWED, what);
                // The names of methods are tokens, which any header may have.
                if let Ok(names) = HeaderValue::from_str(&names) {
                    answer.headers_mut().insert(ALLOW, names);
                }
                answer
            }
            Self::Path => {
                let own = ROUTES.iter().filter(|route| route.surface == surface);
                let paths: Vec<_> = own.map(|route| route.path).collect();
                let what = format!("not found; there are {}", paths.join(", "));
                line(StatusCode::NOT_FOUND, what)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_stands_in_the_table_twice() {
        for (index, one) in ROUTES.iter().enumerate() {
            let is_same = |other: &&Route| {
                (other.surface, &other.method, other.path) == (one.surface, &one.method, one.path)
            };
            assert_eq!(ROUTES.iter().position(|other| is_same(&other)), Some(index));
            assert!(one.path.starts_with('/'));
        }
    }

    #[test]
    fn head_is_served_like_get_and_other_methods_are_told_which_there_are() {
        let miss = |method: &Method, path| find(Surface::Metrics, method, path).err();
        assert_eq!(miss(&Method::GET, "/health"), None);
        assert_eq!(miss(&Method::HEAD, "/health"), None);
        assert_eq!(miss(&Method::POST, "/health"), Some(Miss::Method("GET, HEAD".into())));
        assert_eq!(miss(&Method::GET, "/healthy"), Some(Miss::Path));
        let answer = Miss::Method("GET, HEAD".into()).answer(Surface::Metrics);
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[ALLOW]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
}
