//! Tokens that expire or are refused.

use super::*;

/// A Swift of a few lines, whose tokens are valid for a number of requests each, uploads not counted, and end after some
/// seconds.
struct Scripted {
    server: Server,
    logins: Arc<AtomicI64>,
}

impl Scripted {
    fn new(requests: i64, seconds: i64) -> Self {
        let logins = Arc::new(AtomicI64::new(0));
        let (counted, left) = (Arc::clone(&logins), AtomicI64::new(0));
        let server = Server::start(move |exchange| {
            if !exchange.read_all() {
                return Then::Close;
            }
            let request = exchange.request.clone();
            if request.target == "/auth/v1.0" {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                left.store(requests, Ordering::SeqCst);
                let answer = Answer::empty(200)
                    .with(
                        "X-Storage-Url",
                        &format!("{}/v1/AUTH_a", exchange.server_url()),
                    )
                    .with("X-Auth-Token", &format!("token-{number}"))
                    .with("X-Auth-Token-Expires", &seconds.to_string());
                return exchange.send(&answer);
            }
            let token = format!("token-{}", counted.load(Ordering::SeqCst));
            let is_current = request.header("x-auth-token") == Some(&token);
            let is_end = request.method != "PUT" && left.fetch_sub(1, Ordering::SeqCst) <= 0;
            if request.target != "/info" && (!is_current || is_end) {
                return exchange.send(&Answer::empty(401));
            }
            let mut hasher = Hasher::new(Algorithm::Md5);
            hasher.update(&exchange.body);
            exchange.send(&match (request.method.as_str(), request.target.as_str()) {
                ("PUT", _) => Answer::empty(201).with("ETag", &hasher.finish()),
                ("HEAD", "/v1/AUTH_a/glance") => Answer::empty(204),
                ("GET", "/info") => {
                    Answer::json(200, &json!({"slo": {"max_manifest_segments": 1000}}))
                }
                _ => Answer::empty(404),
            })
        });
        Self { server, logins }
    }

    fn store(&self) -> SwiftStore {
        let account = Account {
            version: "1".to_string(),
            auth_address: self.server.url("/auth/v1.0"),
            user: "a:b".to_string(),
            key: "hunter2".to_string(),
        };
        let site = Objects {
            account,
            storage: Storage::nowhere(),
            container: "glance".to_string(),
            sizes: (300_000, 200_000),
            is_owned: false,
        };
        site.store_with("")
    }

    /// The number of logins, and the names of the objects that were sent.
    fn seen(&self) -> (i64, Vec<String>) {
        let lines = self.server.lines().into_iter();
        let sent = lines.filter_map(|line| {
            let path = line.strip_prefix("PUT /v1/AUTH_a/glance/")?;
            Some(path.to_string())
        });
        (self.logins.load(Ordering::SeqCst), sent.collect())
    }
}

#[test]
fn a_token_that_is_refused_during_an_upload_is_replaced_before_the_next_segment() {
    let expected: Vec<String> = (1..=4)
        .map(|number| format!("{ID}-{number:05}"))
        .chain([format!("{ID}?multipart-manifest=put")])
        .collect();
    for (requests, logins) in [(100, 1), (5, 2), (3, 2), (2, 3)] {
        let scripted = Scripted::new(requests, 3600);
        block_on(store_data(&scripted.store(), None, &data(700_000))).unwrap();
        let (seen, sent) = scripted.seen();
        let segments: Vec<String> = sent
            .iter()
            .filter(|name| !name.contains('?'))
            .cloned()
            .collect();
        assert_eq!(segments, expected[..4], "no segment was sent twice");
        assert_eq!(sent.last(), expected.last());
        assert_eq!(seen, logins, "tokens for {requests} requests");
    }
}

#[test]
fn a_token_that_expires_soon_is_replaced() {
    for (seconds, is_kept) in [(3600, true), (61 + 60, true), (59, false)] {
        let scripted = Scripted::new(100, seconds);
        block_on(store_data(&scripted.store(), None, &data(700_000))).unwrap();
        assert_eq!(scripted.seen().0 == 1, is_kept, "{seconds} s");
    }
}

#[test]
fn a_new_token_that_is_refused_ends_the_request() {
    let scripted = Scripted::new(0, 3600);
    let refused = block_on(scripted.store().create(ID, None)).err().unwrap();
    assert!(
        refused
            .message()
            .ends_with("a new token was refused (HTTP 401)"),
        "{refused}"
    );
    assert_eq!(scripted.seen().0, 2);
}
