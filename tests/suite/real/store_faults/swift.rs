//! Swift stores, with Swift's own login.

use super::{Bed, Breakage, Case, Does, always, case, closed, once, silent, with};
use crate::support::http::Answer;
use crate::support::proxy::{Fault, Proxy};
use crate::support::swift::{Account, new_name};

/// The size of images that are sent in segments.
const SEGMENTS: usize = 5_000_000;

/// The size of images that are sent whole.
const WHOLE: usize = 1_500_000;

/// A case with a short time limit.
fn limited(case: Case) -> Case {
    with("swift_store_timeout = 1\n", case)
}

#[test]
fn commands_on_swift_that_fail_name_the_reason_and_leave_nothing() {
    use Does::{Delete, Download, Upload};
    let account = Account::new();
    let storage = account.log_in();
    let container = new_name();
    storage.expect(http::Method::PUT, &container, &[], Vec::new());
    let service = account.auth_address.strip_prefix("http://").unwrap();
    let service = service.strip_suffix("/auth/v1.0").unwrap().to_string();
    let proxy = Proxy::start(&service);
    let section = format!(
        "{}swift_store_container = {container}\nswift_store_large_object_size = 2\n\
         swift_store_large_object_chunk_size = 1\n",
        account.configuration().replace(&service, &proxy.host())
    );
    let down = closed();
    let place = format!("at http://{}/v1/AUTH_test", proxy.host());
    let names = vec![
        (
            format!("store 's': container '{container}' {place}"),
            "STORE",
        ),
        (place, "PLACE"),
        (proxy.host(), "HOST"),
        (down.clone(), "DOWN"),
        (container.clone(), "CONTAINER"),
    ];
    let (in_container, at) = (container.clone(), storage.clone());
    let contents = move || at.names(&in_container).into_iter().collect();
    let mut bed = Bed::new("swift", &section, Box::new(contents), SEGMENTS);
    bed.names = names;
    bed.proxy = Some(proxy);

    let options = |text: &str| Breakage::Options(text.to_string());
    let wrong = || options("swift_store_key = hunter2");
    let reader = || options("swift_store_user = test:reader\nswift_store_key = reading");
    let missing = || options("swift_store_container = no-such-container");
    let is_down = || {
        options(&format!(
            "swift_store_auth_address = http://{down}/auth/v1.0"
        ))
    };
    let quota = || {
        let set = |bytes: &'static str| {
            let (storage, container) = (storage.clone(), container.clone());
            Box::new(move || {
                let header = [("x-container-meta-quota-bytes", bytes)];
                storage.expect(http::Method::POST, &container, &header, Vec::new());
            })
        };
        Breakage::Acts(set("1000"), set(""))
    };
    let status = |code: u16| Fault::Answer(Answer::empty(code));
    let slow = Fault::Delay(std::time::Duration::from_secs(1));
    let cases: Vec<Case> = vec![
        case(
            "wrong key",
            wrong(),
            Upload(WHOLE),
            "store 's': http://HOST/auth/v1.0 refused user test:tester (HTTP 401)\n\
             Hint: Check the user, the project, the key and the domains of the store. \
             QUEUED",
        ),
        case("wrong key", wrong(), Download, ""),
        case("wrong key", wrong(), Delete, ""),
        case(
            "no rights",
            reader(),
            Upload(WHOLE),
            "STORE: access denied (HTTP 403)\n\
             Hint: Check the roles of the store's user, and the container's ACLs. QUEUED",
        ),
        case(
            "missing container",
            missing(),
            Upload(WHOLE),
            "store 's': container 'no-such-container' PLACE does not exist\n\
             Hint: Create it, or set swift_store_create_container_on_put to have it \
             created. QUEUED",
        ),
        case(
            "missing container",
            missing(),
            Upload(SEGMENTS),
            "store 's': container 'no-such-container' PLACE does not exist\n\
             Hint: Create it, or set swift_store_create_container_on_put to have it \
             created. QUEUED",
        ),
        case(
            "login down",
            is_down(),
            Upload(WHOLE),
            "store 's': http://DOWN cannot be reached: Connection refused\n\
             Hint: QUEUED",
        ),
        case(
            "login down",
            always("GET", "/auth/v1.0", 0, status(503)),
            Upload(WHOLE),
            "store 's': http://HOST/auth/v1.0 responded to a login with HTTP 503\n\
             Hint: QUEUED",
        ),
        case(
            "login down",
            always("GET", "/auth/v1.0", 0, status(503)),
            Download,
            "UNREAD (store 's': http://HOST/auth/v1.0 responded to a login with HTTP 503)",
        ),
        case(
            "login down",
            always("GET", "/auth/v1.0", 0, status(503)),
            Delete,
            "'store 's': http://HOST/auth/v1.0 responded to a login with HTTP 503': Unable \
             to delete image 'KEPT'",
        ),
        case(
            "quota",
            quota(),
            Upload(WHOLE),
            "FULL: STORE: a quota, or the largest size of an object, is exceeded (HTTP 413)\n\
             Hint: Select another store with --store. QUEUED",
        ),
        case(
            "quota",
            quota(),
            Upload(SEGMENTS),
            "FULL: STORE: a quota, or the largest size of an object, is exceeded (HTTP 413)\n\
             Hint: Select another store with --store. QUEUED",
        ),
        case(
            "cut",
            always("PUT", "", 0, Fault::Cut(1_000_000)),
            Upload(WHOLE),
            "store 's': http://HOST cannot be reached: CUT\n\
             Hint: QUEUED",
        ),
        case(
            "cut",
            always("PUT", "-00003", 0, Fault::Cut(500_000)),
            Upload(SEGMENTS),
            "store 's': http://HOST cannot be reached: CUT\n\
             Hint: QUEUED",
        ),
        case(
            "cut",
            always("GET", "/v1/", 0, Fault::Shorten(2_000_000)),
            Download,
            "store 's': http://HOST cannot be reached: CUT",
        ),
        case(
            "lost response",
            always("PUT", "", 0, Fault::Lose),
            Upload(WHOLE),
            "store 's': http://HOST cannot be reached: CUT\n\
             Hint: QUEUED",
        ),
        case(
            "lost response",
            always("PUT", "multipart-manifest=put", 0, Fault::Lose),
            Upload(SEGMENTS),
            "store 's': http://HOST cannot be reached: CUT\n\
             Hint: QUEUED",
        ),
        case(
            "lost response",
            once("DELETE", "", 0, Fault::Lose),
            Delete,
            "",
        ),
        case(
            "corrupted",
            always("PUT", "", 0, Fault::SpoilSent),
            Upload(WHOLE),
            "store 's': CONTAINER/ID was stored with the MD5 DIGEST instead of DIGEST\n\
             Hint: It was changed in transit. Try again. The image was deleted. Create it \
             again.",
        ),
        case(
            "corrupted",
            always("PUT", "-00002", 0, Fault::SpoilSent),
            Upload(SEGMENTS),
            "store 's': CONTAINER/ID-00002 was stored with the MD5 DIGEST instead of DIGEST\n\
             Hint: It was changed in transit. Try again. The image was deleted. Create it \
             again.",
        ),
        case(
            "corrupted",
            always("GET", "/v1/", 0, Fault::SpoilReceived),
            Download,
            "the data of image KEPT is corrupt: sha512 is DIGEST, expected DIGEST\n\
             Hint: The download was discarded. Try another store with --prefer. If the \
             data is corrupt in all stores, upload the image again.",
        ),
        case(
            "token refused once",
            once("HEAD", "/v1/", 1, status(401)),
            Upload(SEGMENTS),
            "",
        ),
        case(
            "token refused",
            always("PUT", "-00003", 0, status(401)),
            Upload(SEGMENTS),
            "STORE: a new token was refused (HTTP 401)\n\
             Hint: QUEUED",
        ),
        case(
            "token refused",
            always("GET", "/v1/", 0, status(401)),
            Download,
            "UNREAD (STORE: a new token was refused (HTTP 401))",
        ),
        case(
            "overloaded",
            always("PUT", "", 0, status(503)),
            Upload(WHOLE),
            "STORE: HTTP 503 Service Unavailable\n\
             Hint: QUEUED",
        ),
        case(
            "overloaded",
            always("PUT", "-00003", 0, status(503)),
            Upload(SEGMENTS),
            "STORE: HTTP 503 Service Unavailable\n\
             Hint: QUEUED",
        ),
        case(
            "overloaded",
            always("GET", "/v1/", 0, status(503)),
            Download,
            "UNREAD (STORE: HTTP 503 Service Unavailable)",
        ),
        case(
            "overloaded",
            always("DELETE", "", 0, status(503)),
            Delete,
            "'image KEPT: the record is deleted, but its data is not: STORE: HTTP 503 \
             Service Unavailable': Unable to delete image 'KEPT'\n\
             Hint: The next command tries again.",
        ),
        case(
            "full",
            always("PUT", "", 0, status(507)),
            Upload(WHOLE),
            "FULL: STORE: no space is left (HTTP 507)\n\
             Hint: Select another store with --store. QUEUED",
        ),
        case("slow", always("PUT", "", 0, slow), Upload(WHOLE), ""),
        limited(case(
            "silent",
            silent(),
            Upload(WHOLE),
            "store 's': http://HOST did not respond within 1 s\n\
             Hint: QUEUED",
        )),
        limited(case(
            "silent",
            silent(),
            Download,
            "UNREAD (store 's': http://HOST did not respond within 1 s)",
        )),
        limited(case(
            "silent",
            silent(),
            Delete,
            "'store 's': http://HOST did not respond within 1 s': Unable to delete image 'KEPT'",
        )),
        limited(case(
            "silent after the login",
            always("HEAD", "/v1/", 0, Fault::Stall(0)),
            Upload(WHOLE),
            "store 's': http://HOST did not respond within 1 s\n\
             Hint: QUEUED",
        )),
        limited(case(
            "stalls",
            always("PUT", "", 0, Fault::Stall(500_000)),
            Upload(WHOLE),
            "store 's': http://HOST did not respond within 1 s\n\
             Hint: QUEUED",
        )),
        limited(case(
            "stalls",
            always("PUT", "-00003", 0, Fault::Stall(500_000)),
            Upload(SEGMENTS),
            "store 's': http://HOST did not respond within 1 s\n\
             Hint: QUEUED",
        )),
        limited(case(
            "stalls",
            always("GET", "/v1/", 0, Fault::StallReceived(1_000_000)),
            Download,
            "store 's': http://HOST did not respond within 1 s",
        )),
        limited(case(
            "trickles",
            always("GET", "/v1/", 0, Fault::Trickle(100_000)),
            Download,
            "store 's': http://HOST did not respond within 1 s",
        )),
    ];
    bed.assert(cases);
    storage.remove(&container);
}
