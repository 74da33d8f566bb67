//! Redirects: their limit, their targets, and the headers that are sent to them.

use std::sync::Arc;

use http::header::{HeaderMap, LOCATION};
use url::Url;

use super::guard::Guard;
use super::message::{Request, Stripped};
use super::reason::{Failure, Reason};
use super::wire;

/// The statuses of redirects.
const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// A redirect policy. Only requests that change nothing are redirected, and secret headers are sent to one
/// origin only.
#[derive(Clone)]
pub struct Policy {
    /// The maximum number of redirects.
    pub limit: usize,
    /// The statuses of redirects to follow; a response with another one is returned to the caller.
    pub statuses: &'static [u16],
    /// The rules for addresses; None allows the addresses of all web servers.
    pub guard: Option<Arc<dyn Guard>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            limit: 5,
            statuses: &STATUSES,
            guard: None,
        }
    }
}

/// The last response to a request after its redirects.
pub(super) struct Followed {
    pub response: reqwest::Response,
    pub stripped: Option<Stripped>,
}

/// Sends a request and follows its redirects.
pub(super) async fn follow<F>(
    policy: &Policy,
    mut request: Request,
    send: impl Fn(Request) -> F,
) -> Result<Followed, Failure>
where
    F: Future<Output = Result<reqwest::Response, Failure>>,
{
    let mut stripped = None;
    for followed in 0.. {
        let response = send(request.clone()).await?;
        let failed = |reason| Failure::new(&request.url, reason);
        let Some(to) = policy.target(&request.url, &response).map_err(failed)? else {
            return Ok(Followed { response, stripped });
        };
        if !request.is_safe() {
            return Err(failed(Reason::NotRedirected {
                status: response.status(),
                method: request.method.clone(),
                to,
            }));
        }
        if followed == policy.limit {
            break;
        }
        if to.origin() != request.url.origin() {
            let public = public(&request.headers);
            if public.len() < request.headers.len() {
                let (from, to) = (request.url.clone(), to.clone());
                stripped = Some(Stripped { from, to });
            }
            request.headers = public;
        }
        request.url = to;
    }
    let reason = Reason::TooManyRedirects(policy.limit);
    Err(Failure::new(&request.url, reason))
}

impl Policy {
    /// Returns the target of a redirect; None for a response that is not a redirect, or does not lead to a
    /// web server.
    fn target(&self, from: &Url, response: &reqwest::Response) -> Result<Option<Url>, Reason> {
        if !self.statuses.contains(&response.status().as_u16()) {
            return Ok(None);
        }
        let location = response.headers().get(LOCATION);
        let Some(location) = location.and_then(|location| location.to_str().ok()) else {
            return Ok(None);
        };
        if let Some(guard) = &self.guard {
            return guard
                .follow(from, location)
                .map(Some)
                .map_err(Reason::RedirectBlocked);
        }
        let to = from.join(location).ok();
        Ok(to.filter(|to| matches!(to.scheme(), "http" | "https") && to.has_host()))
    }
}

/// Returns the headers that may be sent to another origin.
fn public(headers: &HeaderMap) -> HeaderMap {
    let public = headers
        .iter()
        .filter(|(name, value)| !wire::is_secret_header(name, value));
    public
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use std::sync::Mutex;

    use http::Method;
    use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderValue};

    use super::*;
    use crate::Error;
    use crate::http::testing::block_on;

    /// Follows redirects with `respond` as the servers. Returns the requests and the result.
    fn travel(
        policy: &Policy,
        request: Request,
        respond: impl Fn(&Url) -> (u16, Option<String>),
    ) -> (Vec<Request>, Result<Followed, Failure>) {
        let seen = Mutex::new(Vec::new());
        let outcome = block_on(follow(policy, request, |request| {
            let (status, location) = respond(&request.url);
            seen.lock().unwrap().push(request);
            let mut response = http::Response::builder().status(status);
            if let Some(location) = location {
                response = response.header(LOCATION, location);
            }
            async { Ok(response.body("").unwrap().into()) }
        }));
        (seen.into_inner().unwrap(), outcome)
    }

    fn get(url: &str) -> Request {
        Request::new(Method::GET, Url::parse(url).unwrap())
    }

    #[test]
    fn so_many_redirects_are_followed_and_no_more() {
        for limit in [0, 1, 4, 10] {
            let policy = Policy {
                limit,
                ..Policy::default()
            };
            let (seen, outcome) = travel(&policy, get("http://h/x"), |_| {
                (302, Some("/y".to_string()))
            });
            assert_eq!(seen.len(), limit + 1);
            let failure = outcome.err().unwrap();
            assert!(
                matches!(failure.reason(), Reason::TooManyRedirects(times) if *times == limit),
                "{failure:?}"
            );
            let left = Mutex::new(limit);
            let (seen, outcome) = travel(&policy, get("http://h/x"), |_| {
                let mut left = left.lock().unwrap();
                match left.checked_sub(1) {
                    Some(less) => {
                        *left = less;
                        (307, Some("y".to_string()))
                    }
                    None => (200, None),
                }
            });
            assert_eq!(seen.len(), limit + 1);
            assert_eq!(outcome.ok().unwrap().response.status(), 200);
        }
    }

    #[test]
    fn secret_headers_stay_with_their_origin() {
        let secret = [
            (AUTHORIZATION, "Bearer x"),
            (COOKIE, "x"),
            (http::HeaderName::from_static("x-auth-token"), "x"),
        ];
        for (to, is_other) in [
            ("http://h/y", false),
            ("/y", false),
            ("http://h:80/y", false),
            ("https://h/y", true),
            ("http://h:81/y", true),
            ("http://other/y", true),
            ("//other/y", true),
        ] {
            let mut request = get("http://h/x");
            request
                .headers
                .insert(ACCEPT, HeaderValue::from_static("*/*"));
            for (name, value) in &secret {
                let value = HeaderValue::from_static(value);
                request.headers.insert(name.clone(), value);
            }
            let mut marked = HeaderValue::from_static("x");
            marked.set_sensitive(true);
            request.headers.insert("x-trace-info", marked);
            let (seen, outcome) = travel(&Policy::default(), request, |url| match url.path() {
                "/x" => (301, Some(to.to_string())),
                // Headers that were removed once are not sent again.
                "/y" => (302, Some("http://h/z".to_string())),
                _ => (200, None),
            });
            let stripped = outcome.ok().unwrap().stripped;
            assert_eq!(stripped.is_some(), is_other, "{to}");
            let sent: Vec<usize> = seen.iter().map(|request| request.headers.len()).collect();
            let then = if is_other { 1 } else { 5 };
            assert_eq!(sent, [5, then, then], "{to}");
            assert!(
                seen.iter()
                    .all(|request| request.headers.contains_key(ACCEPT))
            );
        }
    }

    #[test]
    fn what_changes_something_is_not_sent_to_another_address() {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let mut request = get("http://h/x");
            request.method = method.clone();
            let (seen, outcome) = travel(&Policy::default(), request, |_| {
                (307, Some("/y".to_string()))
            });
            assert_eq!(seen.len(), 1);
            let failure = outcome.err().unwrap();
            let Reason::NotRedirected {
                status,
                method: refused,
                to,
            } = failure.reason()
            else {
                panic!("{failure:?}")
            };
            assert_eq!((status.as_u16(), refused, to.path()), (307, &method, "/y"));
        }
    }

    #[test]
    fn a_redirect_to_no_web_server_is_returned_as_it_is() {
        for to in [
            "file:///etc/passwd",
            "ftp://h/x",
            "http://",
            "http://[",
            "javascript:x",
        ] {
            let (seen, outcome) = travel(&Policy::default(), get("http://h/x"), |_| {
                (302, Some(to.to_string()))
            });
            assert_eq!(seen.len(), 1, "{to}");
            assert_eq!(outcome.ok().unwrap().response.status(), 302);
        }
        let (_, outcome) = travel(&Policy::default(), get("http://h/x"), |_| (302, None));
        assert_eq!(outcome.ok().unwrap().response.status(), 302);
    }

    #[test]
    fn a_status_that_the_policy_does_not_follow_is_returned_as_it_is() {
        let policy = Policy {
            statuses: &[301, 302],
            ..Policy::default()
        };
        let (seen, outcome) = travel(&policy, get("http://h/x"), |_| {
            (303, Some("/y".to_string()))
        });
        assert_eq!(seen.len(), 1);
        assert_eq!(outcome.ok().unwrap().response.status(), 303);
    }

    /// A guard that refuses the host `inside`.
    struct NotInside;

    impl Guard for NotInside {
        fn follow(&self, from: &Url, location: &str) -> Result<Url, Error> {
            let to = from
                .join(location)
                .map_err(|_| Error::invalid("no address"))?;
            match to.host_str() {
                Some("inside") => Err(Error::invalid("inside is refused")),
                _ => Ok(to),
            }
        }

        fn select(&self, _: &str, _: Vec<IpAddr>) -> Result<Vec<IpAddr>, String> {
            Err("not asked".to_string())
        }
    }

    #[test]
    fn a_host_that_the_guard_refuses_is_not_requested() {
        let policy = Policy {
            guard: Some(Arc::new(NotInside)),
            ..Policy::default()
        };
        let (seen, outcome) = travel(&policy, get("http://h/x"), |url| match url.path() {
            "/x" => (302, Some("/y".to_string())),
            _ => (302, Some("http://inside/".to_string())),
        });
        let paths: Vec<&str> = seen.iter().map(|request| request.url.path()).collect();
        assert_eq!(paths, ["/x", "/y"]);
        let failure = outcome.err().unwrap();
        let Reason::RedirectBlocked(error) = failure.reason() else {
            panic!("{failure:?}")
        };
        assert_eq!(error.message(), "inside is refused");
    }
}
