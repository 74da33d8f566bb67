//! The client, which sends requests and reports them to observers.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use http::header::HeaderMap;
use http::{Method, StatusCode};
use reqwest::Body;
use url::Url;

use super::message::{Request, Response, StreamingResponse, Stripped};
use super::proxies::Proxies;
use super::reason::{Failure, Reason};
use super::redirect::{self, Followed};
use super::resolve::GuardedResolver;
use super::retry::{self, Attempt, Delay, Retries};
use super::setup::SetupError;
use super::{tls, upload, wire};
use crate::config::Tls;
use crate::model::address::place;

/// The default timeout of a connection attempt.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// A function that is called with requests and responses, as text without secrets.
pub type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// The time that a server took to respond.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The method of the request.
    pub method: Method,
    /// The address of the request, without secrets.
    pub place: String,
    /// The status of the response.
    pub status: StatusCode,
    /// The time from sending the request to the head of the response.
    pub elapsed: Duration,
}

/// A function that is called with the time that each request took.
pub type Timer = Arc<dyn Fn(Timing) + Send + Sync>;

/// The observers of requests.
#[derive(Clone, Default)]
pub struct Observer {
    /// Receives requests and responses as text.
    pub listener: Option<Listener>,
    /// Receives the time that each request took.
    pub timer: Option<Timer>,
    /// Headers that are sent with each request, such as those of a trace.
    pub headers: HeaderMap,
}

/// The settings of a client.
#[derive(Clone)]
pub struct Options {
    /// The TLS configuration.
    pub tls: Tls,
    /// The proxies that requests go through.
    pub proxies: Proxies,
    /// The timeout of a connection attempt.
    pub connect_timeout: Duration,
    /// The timeout of a response: of its head, or of the whole response if it is read into memory; and of a
    /// stalled body if it is streamed, in both directions.
    pub timeout: Duration,
    /// The redirect policy.
    pub redirects: redirect::Policy,
    /// The retry policy.
    pub retries: retry::Policy,
    /// Whether connections are reused.
    pub keep_alive: bool,
    /// The observers of requests.
    pub observer: Observer,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: Tls::default(),
            proxies: Proxies::default(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: Duration::from_mins(1),
            redirects: redirect::Policy::default(),
            retries: retry::Policy::default(),
            keep_alive: true,
            observer: Observer::default(),
        }
    }
}

/// An HTTP client. Clones share connections. Nothing is read or set up before the first request.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    options: Options,
    /// The client for addresses without TLS.
    plain: OnceLock<reqwest::Client>,
    /// The client for addresses with TLS. Loading its trusted certificates is the most expensive part of
    /// the setup.
    secure: OnceLock<reqwest::Client>,
}

impl Client {
    /// Returns a client.
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Inner {
            options,
            plain: OnceLock::new(),
            secure: OnceLock::new(),
        }))
    }

    /// Sends a request and reads its response, regardless of the status.
    ///
    /// A request is retried if the response requests it or the connection failed, and the request is
    /// idempotent or the server cannot have received it.
    ///
    /// # Errors
    /// The reason why there is no response, or no complete one within the timeout.
    pub async fn call(&self, request: &Request) -> Result<Response, Failure> {
        let attempt = || async {
            let outcome = self.in_time(request, async { self.follow(request).await?.read().await });
            let result = outcome.await.map(|response| self.report(request, response));
            let retry = match &result {
                Ok(response) => retry::delay(response.status, &response.headers)
                    .filter(|_| request.is_idempotent),
                Err(failure) => delay_after(request, failure),
            };
            Attempt { result, retry }
        };
        retry::run(self.retries(), attempt).await
    }

    /// Sends a request and returns its response as soon as the head has arrived. Otherwise the same as
    /// [`Self::call`].
    ///
    /// # Errors
    /// The reason why there is no response within the timeout.
    pub async fn open(&self, request: &Request) -> Result<StreamingResponse, Failure> {
        let attempt = || async {
            let result = self.in_time(request, self.follow(request)).await;
            let retry = match &result {
                Ok(response) => retry::delay(response.status(), response.headers())
                    .filter(|_| request.is_idempotent),
                Err(failure) => delay_after(request, failure),
            };
            Attempt { result, retry }
        };
        retry::run(self.retries(), attempt).await
    }

    /// Reads the rest of the response to a request.
    ///
    /// # Errors
    /// The reason why it is not complete within the timeout.
    pub async fn read(
        &self,
        request: &Request,
        response: StreamingResponse,
    ) -> Result<Response, Failure> {
        let response = self.in_time(request, response.read()).await?;
        Ok(self.without_secrets(request, response))
    }

    /// Sends a request with a body of these blocks, once, and reads its response. Redirects are not
    /// followed.
    ///
    /// # Errors
    /// The reason why there is no complete response: [`Reason::TooSlow`] if the server accepts no data for
    /// the duration of the timeout, [`Reason::Upload`] with an error of the blocks.
    pub async fn upload(
        &self,
        request: &Request,
        blocks: impl Stream<Item = crate::Result<Bytes>> + Send + 'static,
    ) -> Result<Response, Failure> {
        let (body, timer) = upload::body(blocks);
        let sent = async {
            let response = self.send(self.observed(request), body).await?;
            self.streaming(response, None).read().await
        };
        let response = tokio::select! {
            response = sent => response?,
            () = timer.expired(self.timeout()) => return Err(self.too_slow(&request.url)),
        };
        Ok(self.report(request, response))
    }

    /// Returns the retries that an operation of several requests may use.
    pub fn retries(&self) -> Retries<'_> {
        Retries::new(self.0.options.retries, |retry| {
            self.tell(&format!(
                "Retry {} of {} in {:.1} s",
                retry.number,
                retry.of,
                retry.delay.as_secs_f64()
            ));
        })
    }

    fn timeout(&self) -> Duration {
        self.0.options.timeout
    }

    fn too_slow(&self, url: &Url) -> Failure {
        Failure::new(url, Reason::TooSlow(self.timeout()))
    }

    async fn in_time<T>(
        &self,
        request: &Request,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let outcome = tokio::time::timeout(self.timeout(), work).await;
        outcome.unwrap_or_else(|_| Err(self.too_slow(&request.url)))
    }

    async fn follow(&self, request: &Request) -> Result<StreamingResponse, Failure> {
        let send = |request: Request| {
            let body = request.body.clone().into();
            self.send(request, body)
        };
        let request = self.observed(request);
        let followed = redirect::follow(&self.0.options.redirects, request, send).await?;
        let Followed { response, stripped } = followed;
        Ok(self.streaming(response, stripped))
    }

    /// Returns a request with the headers of the observer.
    fn observed(&self, request: &Request) -> Request {
        let mut request = request.clone();
        request
            .headers
            .extend(self.0.options.observer.headers.clone());
        request
    }

    fn streaming(
        &self,
        response: reqwest::Response,
        stripped: Option<Stripped>,
    ) -> StreamingResponse {
        StreamingResponse::new(response, stripped, self.timeout())
    }

    /// Sends one request, and reports it and the head of its response.
    async fn send(&self, request: Request, body: Body) -> Result<reqwest::Response, Failure> {
        let client = self.client_for(&request.url);
        let client = client.map_err(|error| Failure::new(&request.url, Reason::Setup(error)))?;
        if self.has_listener() {
            self.tell(&wire::request(&request));
        }
        let builder = client.request(request.method.clone(), request.url.clone());
        let builder = builder.headers(request.headers).body(body);
        let began = Instant::now();
        let response = builder.send().await;
        let response = response
            .map_err(|error| Failure::of_request(&request.url, error, &self.0.options.proxies))?;
        if let Some(timer) = &self.0.options.observer.timer {
            timer(Timing {
                method: request.method,
                place: place(&request.url),
                status: response.status(),
                elapsed: began.elapsed(),
            });
        }
        if self.has_listener() {
            self.tell(&wire::head(response.status(), response.headers()));
        }
        Ok(response)
    }

    /// Returns the underlying client for an address.
    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, SetupError> {
        let is_secure = url.scheme() == "https";
        let client = if is_secure {
            &self.0.secure
        } else {
            &self.0.plain
        };
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let built = build(&self.0.options, is_secure)?;
        Ok(client.get_or_init(|| built))
    }

    fn has_listener(&self) -> bool {
        self.0.options.observer.listener.is_some()
    }

    fn tell(&self, text: &str) {
        if let Some(listener) = &self.0.options.observer.listener {
            listener(text);
        }
    }

    /// Reports the body of a response whose head has been reported. Returns the response without secrets.
    fn report(&self, request: &Request, response: Response) -> Response {
        let response = self.without_secrets(request, response);
        if self.has_listener() {
            self.tell(&wire::body(&response.body));
        }
        response
    }

    /// Hides the secrets of a request, which some servers repeat, in a response that will be shown.
    fn without_secrets(&self, request: &Request, mut response: Response) -> Response {
        if !response.status.is_success() || self.has_listener() {
            response.body = wire::hide_secrets(request, response.body);
        }
        response
    }
}

/// Returns the delay before a request is retried after a failure; None if it is not retried.
fn delay_after(request: &Request, failure: &Failure) -> Option<Delay> {
    let is_repeatable = request.is_idempotent || failure.is_connect();
    (failure.is_transient() && is_repeatable).then_some(Delay::Backoff)
}

/// Returns a client for addresses with or without TLS.
fn build(options: &Options, is_secure: bool) -> Result<reqwest::Client, SetupError> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(options.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .tls_info(is_secure)
        .user_agent(USER_AGENT);
    if !options.keep_alive {
        builder = builder.pool_max_idle_per_host(0);
    }
    if let Some(guard) = &options.redirects.guard {
        builder = builder.dns_resolver(GuardedResolver(Arc::clone(guard)));
    }
    let builder = options.proxies.configure(builder)?;
    let builder = tls::configure(builder, &options.tls, is_secure)?;
    // An error may contain the address of a proxy.
    let built = builder.build();
    built.map_err(|error| SetupError::Tls(error.without_url().into()))
}
