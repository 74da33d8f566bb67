//! The one HTTP client: TLS, time-outs, retries, redirects, limits, and what `--debug` shows.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use reqwest::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Body, Client, Method, Response, StatusCode};
use url::Url;

use super::answer::unreachable;
use super::trace;
use super::tracing::Tracing;
use crate::config::{Secret, Tls};
use crate::{Error, ErrorKind, Result};

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long to wait for an answer, or for the next bytes of one, unless told otherwise.
///
/// *Source:* what python-glanceclient waits.
const PATIENCE: Duration = Duration::from_mins(10);

/// Times a request is sent again that is safe to repeat.
const RETRIES: usize = 3;

/// The longest that a server may have us wait before a request is sent again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Bytes of an answer that is no image data: a page of a thousand images is around a MiB.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Who is told of requests and answers, line by line.
pub type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// A request whose answer has begun.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Its method.
    pub method: Method,
    /// Where it went, without secrets.
    pub place: String,
    /// The answer's status.
    pub status: StatusCode,
    /// From sending it to the head of the answer.
    pub elapsed: Duration,
}

/// Who is told how long requests took.
pub type Timer = Arc<dyn Fn(Timing) + Send + Sync>;

/// Who hears of requests.
#[derive(Clone, Default)]
pub struct Observer {
    /// Is told of requests and answers, line by line.
    pub listener: Option<Listener>,
    /// Is told how long each request took.
    pub timer: Option<Timer>,
    /// Has servers trace what they do.
    pub tracing: Option<Tracing>,
}

/// How requests are sent.
#[derive(Clone, Default)]
pub struct Options {
    /// How TLS connections are made.
    pub tls: Tls,
    /// How long an answer may take in all, and image data may stand still.
    pub timeout: Option<Duration>,
    /// Who hears of requests.
    pub observer: Observer,
}

/// A request whose body, if any, is in memory.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Where it goes.
    pub url: Url,
    /// Its headers; what is secret MUST be marked sensitive.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Secrets in a body that is sent beside it, which the answer may repeat.
    pub secrets: Vec<Secret>,
}

impl Call {
    /// A request without headers or body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            secrets: Vec::new(),
        }
    }

    /// Whether it changes nothing, and may be sent again whatever became of it.
    pub fn is_safe(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// An answer that has been read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The redirect after which the token was not sent along.
    pub redirected: Option<Redirected>,
}

/// A redirect to another server, which what is secret was not sent to.
#[derive(Clone, Debug)]
pub struct Redirected {
    /// The address that redirects.
    pub from: Url,
    /// The address that it redirects to.
    pub to: Url,
}

/// The client.
#[derive(Clone)]
pub struct Http {
    /// For servers without TLS.
    plain: Client,
    /// For servers with TLS: its certificates are loaded when one is first asked.
    secure: Arc<OnceLock<Client>>,
    options: Options,
}

impl Http {
    /// A client.
    ///
    /// # Errors
    /// `Failed` where the system does not allow one.
    pub fn new(options: Options) -> Result<Self> {
        Ok(Self {
            plain: build(&options, false)?,
            secure: Arc::default(),
            options,
        })
    }

    /// The client underneath, for those who send requests of their own.
    pub fn client(&self) -> &Client {
        &self.plain
    }

    /// The client that can reach `url`.
    ///
    /// # Errors
    /// `Failed` for a certificate or key that cannot be read.
    fn client_for(&self, url: &Url) -> Result<&Client> {
        if url.scheme() != "https" {
            return Ok(&self.plain);
        }
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let client = build(&self.options, true)?;
        Ok(self.secure.get_or_init(|| client))
    }

    /// How long an answer may take in all, and image data may stand still.
    pub fn timeout(&self) -> Duration {
        self.options.timeout.unwrap_or(PATIENCE)
    }

    /// Tells the listener something.
    pub fn tell(&self, line: &str) {
        if let Some(listener) = &self.options.observer.listener {
            listener(line);
        }
    }

    /// Sends a request and reads its answer, whatever its status is.
    ///
    /// # Errors
    /// `Unavailable` when no answer comes in time; `Failed` when it is none, or larger than any that
    /// is meant.
    pub async fn call(&self, call: &Call) -> Result<Answer, Failure> {
        let mut waits = waits();
        loop {
            let outcome = tokio::time::timeout(self.timeout(), async {
                let response = self.follow(call).await?;
                read(response).await
            });
            let (outcome, wait) = match outcome.await {
                Ok(Ok(answer)) => {
                    let answer = self.take(call, answer);
                    let wait = retry_after(answer.status, &answer.headers);
                    (Ok(answer), wait.filter(|_| call.is_safe()))
                }
                Ok(Err(failure)) => {
                    let again = failure.before_sending || call.is_safe() && failure.passing;
                    (Err(failure), again.then_some(None))
                }
                Err(_) => return Err(Failure::of(self.too_slow(&call.url))),
            };
            let (Some(asked), Some(next)) = (wait, waits.next()) else {
                return outcome;
            };
            self.pause(next, asked).await;
        }
    }

    /// Sends a request and gives its answer as soon as the headers are there, its body unread.
    ///
    /// # Errors
    /// As [`Http::call`].
    pub async fn open(&self, call: &Call) -> Result<Response, Failure> {
        let mut waits = waits();
        loop {
            let (outcome, wait) =
                match tokio::time::timeout(self.timeout(), self.follow(call)).await {
                    Ok(Ok(response)) => {
                        self.tell_head(response.status(), response.headers());
                        let wait = retry_after(response.status(), response.headers());
                        (Ok(response), wait)
                    }
                    Ok(Err(failure)) => {
                        let wait = failure.passing.then_some(None);
                        (Err(failure), wait)
                    }
                    Err(_) => return Err(Failure::of(self.too_slow(&call.url))),
                };
            let (Some(asked), Some(next)) = (wait.filter(|_| call.is_safe()), waits.next()) else {
                return outcome;
            };
            self.pause(next, asked).await;
        }
    }

    /// Sends a request whose body is a stream, once; the answer is read to its end.
    ///
    /// `stalled` ends when the body has stood still for too long; the request is then given up.
    ///
    /// # Errors
    /// As [`Http::call`]; with whether the request may be sent again.
    pub async fn send(
        &self,
        call: &Call,
        body: Body,
        stalled: impl Future<Output = ()>,
    ) -> Result<Answer, Failure> {
        let call = &self.traced(call);
        self.tell_call(call);
        let request = self.request(call, &call.url)?.body(body);
        let sent = async {
            let response = self.dispatch(call, request).await?;
            read(response).await
        };
        let answer = tokio::select! {
            answer = sent => answer?,
            () = stalled => return Err(Failure::of(self.too_slow(&call.url))),
        };
        Ok(self.take(call, answer))
    }

    /// Reads the answer to a request, whose head was told of, to its end.
    pub async fn read(&self, call: &Call, response: Response) -> Result<Answer> {
        let url = response.url().clone();
        let answer = tokio::time::timeout(self.timeout(), read(response)).await;
        let answer = answer.map_err(|_| self.too_slow(&url))?;
        let answer = answer?;
        Ok(self.presentable(call, answer))
    }

    /// Waits before a request is sent again, as long as was `asked` for if that was told; tells of it.
    pub async fn pause(&self, wait: Wait, asked: Option<Duration>) {
        let duration = asked.unwrap_or(wait.duration);
        self.tell(&format!(
            "Repetition {} of {RETRIES} in {:.1} s",
            wait.repetition,
            duration.as_secs_f64()
        ));
        tokio::time::sleep(duration).await;
    }

    /// That an answer did not come in time.
    pub fn too_slow(&self, url: &Url) -> Error {
        let message = format!(
            "{} did not answer within {} s",
            trace::place(url),
            self.timeout().as_secs_f64()
        );
        Error::new(ErrorKind::Unreachable, message)
            .hint("Try again; give it more time with --timeout SECONDS.")
    }

    /// Sends a request, and on to where its answer redirects to: with everything that is secret only
    /// while that is the same server.
    async fn follow(&self, call: &Call) -> Result<Response, Failure> {
        let mut url = call.url.clone();
        let mut call = self.traced(call);
        let mut redirected = None;
        for _ in 0..=REDIRECTS {
            call.url = url;
            self.tell_call(&call);
            let request = self.request(&call, &call.url)?.body(call.body.clone());
            let mut response = self.dispatch(&call, request).await?;
            let Some(next) = redirect(&response) else {
                if let Some(redirected) = redirected {
                    response.extensions_mut().insert::<Redirected>(redirected);
                }
                return Ok(response);
            };
            self.tell_head(response.status(), response.headers());
            if !call.is_safe() {
                let message = format!(
                    "{} sends {} elsewhere, to {}",
                    trace::place(&call.url),
                    call.method,
                    trace::place(&next)
                );
                return Err(Failure::of(Error::failed(message).hint(
                    "The address of the image service is wrong; see --os-endpoint-override.",
                )));
            }
            if next.origin() != call.url.origin() {
                let public = public(&call.headers);
                if public.len() < call.headers.len() {
                    redirected = Some(Redirected {
                        from: call.url.clone(),
                        to: next.clone(),
                    });
                }
                call.headers = public;
            }
            url = next;
        }
        let message = format!("{} redirects without end", trace::place(&call.url));
        Err(Failure::of(Error::failed(message)))
    }

    fn request(&self, call: &Call, url: &Url) -> Result<reqwest::RequestBuilder, Failure> {
        let client = self.client_for(url).map_err(Failure::of)?;
        let request = client.request(call.method.clone(), url.clone());
        Ok(request.headers(call.headers.clone()))
    }

    /// A request with what has a server trace it, where that is wanted.
    fn traced(&self, call: &Call) -> Call {
        let mut call = call.clone();
        if let Some(tracing) = &self.options.observer.tracing {
            call.headers.extend(tracing.headers());
        }
        call
    }

    /// Sends a request, and tells how long its answer took to begin.
    async fn dispatch(
        &self,
        call: &Call,
        request: reqwest::RequestBuilder,
    ) -> Result<Response, Failure> {
        let began = Instant::now();
        let response = request.send().await;
        let response = response.map_err(|e| Failure::new(&call.url, e))?;
        if let Some(timer) = &self.options.observer.timer {
            timer(Timing {
                method: call.method.clone(),
                place: trace::place(&call.url),
                status: response.status(),
                elapsed: began.elapsed(),
            });
        }
        Ok(response)
    }

    fn tell_call(&self, call: &Call) {
        if self.options.observer.listener.is_some() {
            self.tell(&trace::request(call));
        }
    }

    fn tell_head(&self, status: StatusCode, headers: &HeaderMap) {
        if self.options.observer.listener.is_some() {
            self.tell(&trace::head(status, headers));
        }
    }

    /// An answer, in which the secrets of its request, which some servers repeat, are hidden if anyone
    /// is going to see them.
    fn presentable(&self, call: &Call, mut answer: Answer) -> Answer {
        if answer.status.is_success() && self.options.observer.listener.is_none() {
            return answer;
        }
        let headers = call.headers.iter();
        let of_headers = headers.filter(|(name, value)| is_secret(name, value));
        let of_headers = of_headers.map(|(_, value)| value.as_bytes());
        let of_body = call.secrets.iter().map(|secret| secret.reveal().as_bytes());
        for secret in of_headers.chain(of_body) {
            if contains(&answer.body, secret) {
                let body = String::from_utf8_lossy(&answer.body);
                let hidden = body.replace(&*String::from_utf8_lossy(secret), trace::HIDDEN);
                answer.body = hidden.into();
            }
        }
        answer
    }

    /// An answer as it may be shown; tells of it.
    fn take(&self, call: &Call, answer: Answer) -> Answer {
        let answer = self.presentable(call, answer);
        if self.options.observer.listener.is_some() {
            self.tell_head(answer.status, &answer.headers);
            self.tell(&trace::body(&answer.body));
        }
        answer
    }
}

/// A client of servers with or without TLS.
fn build(options: &Options, secure: bool) -> Result<Client> {
    let builder = Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("glance-tools/", env!("CARGO_PKG_VERSION")));
    super::tls::configure(builder, &options.tls, secure)?
        .build()
        .map_err(|e| Error::failed("cannot set up TLS").because(e))
}

/// Why there is no answer.
pub struct Failure {
    /// In words.
    pub error: Error,
    /// It may go well the next time.
    pub passing: bool,
    /// The connection was made and broke before the server had seen anything of the request.
    pub before_sending: bool,
    /// There was no connection, so that the server has not seen the request.
    pub unconnected: bool,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Failure {
    /// One that will not pass.
    pub fn of(error: Error) -> Self {
        Self {
            error,
            passing: false,
            before_sending: false,
            unconnected: false,
        }
    }

    fn new(url: &Url, error: reqwest::Error) -> Self {
        Self {
            before_sending: error.is_connect() && super::answer::is_passing(&error),
            passing: super::answer::is_passing(&error),
            unconnected: error.is_connect(),
            error: unreachable(url, error),
        }
    }
}

/// The wait before a request is sent again.
#[derive(Clone, Copy)]
pub struct Wait {
    /// Which repetition it is, from 1.
    repetition: usize,
    duration: Duration,
}

/// The waits between a request and its repetitions.
pub fn waits() -> impl Iterator<Item = Wait> {
    let durations = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .with_max_times(RETRIES)
        .build();
    durations.zip(1..).map(|(duration, repetition)| Wait {
        repetition,
        duration,
    })
}

/// Whether an answer asks to try again, and after how long if it says so.
pub fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Option<Duration>> {
    if !matches!(status.as_u16(), 429 | 502 | 503 | 504) {
        return None;
    }
    let text = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let wait = text.and_then(|text| {
        let seconds = text.trim().parse().ok().map(Duration::from_secs);
        seconds.or_else(|| {
            let moment = httpdate::parse_http_date(text).ok()?;
            moment.duration_since(std::time::SystemTime::now()).ok()
        })
    });
    match wait {
        // What is too long to wait for is an error to be shown.
        Some(wait) if wait > LONGEST_WAIT => None,
        wait => Some(wait),
    }
}

/// Where an answer redirects to.
fn redirect(response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let place = response.headers().get(LOCATION)?.to_str().ok()?;
    let next = response.url().join(place).ok()?;
    matches!(next.scheme(), "http" | "https").then_some(next)
}

/// The headers that another server may see.
fn public(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, value)| !is_secret(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn is_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive()
        || *name == AUTHORIZATION
        || *name == COOKIE
        || trace::is_secret(name.as_str())
}

/// Whether `part`, if it is anything at all, stands in `text`.
fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else {
        return false;
    };
    text.windows(part.len())
        .any(|window| window[0] == *first && window == part)
}

/// Reads an answer to its end, as long as it is of a size that is meant.
async fn read(mut response: Response) -> Result<Answer, Failure> {
    let (status, headers) = (response.status(), response.headers().clone());
    let url = response.url().clone();
    let redirected = response.extensions().get::<Redirected>().cloned();
    let endless = || {
        let message = format!("the answer of {} has no end", trace::place(&url));
        Failure::of(Error::failed(message))
    };
    if response
        .content_length()
        .is_some_and(|length| length > LARGEST_ANSWER as u64)
    {
        return Err(endless());
    }
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(|e| Failure::new(&url, e))? {
        if body.len() + bytes.len() > LARGEST_ANSWER {
            return Err(endless());
        }
        body.extend_from_slice(&bytes);
    }
    Ok(Answer {
        status,
        headers,
        body: body.into(),
        redirected,
    })
}
