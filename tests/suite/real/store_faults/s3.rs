//! S3 stores, on the gateway of Ceph.

use super::{Bed, Breakage, Case, Does, always, case, closed, once, silent, with};
use crate::support::http::Answer;
use crate::support::proxy::{Fault, Proxy};
use crate::support::s3::Bucket;

/// The size of images that are sent in parts.
const PARTS: usize = 12_000_000;

/// The size of images that are sent whole.
const WHOLE: usize = 3_000_000;

fn refusal(status: u16, code: &str) -> Fault {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    Fault::Answer(Answer::new(status, "application/xml", body))
}

fn bed() -> Bed {
    let bucket = Bucket::on_gateway();
    let proxy = Proxy::start(&bucket.host);
    let section = bucket.configuration().replace(&bucket.host, &proxy.host());
    let section =
        format!("{section}s3_store_large_object_size = 6\ns3_store_large_object_chunk_size = 5\n");
    let (host, name) = (proxy.host(), bucket.name.clone());
    let contents = move || bucket.contents().into_keys().collect();
    let mut bed = Bed::new("s3", &section, Box::new(contents), PARTS);
    bed.names = vec![
        (format!("store 's' at http://{host}/{name}"), "STORE"),
        (host, "HOST"),
        (name, "BUCKET"),
    ];
    bed.proxy = Some(proxy);
    bed
}

/// A case with a short time limit.
fn limited(case: Case) -> Case {
    with("s3_store_timeout = 1\n", case)
}

#[test]
fn commands_on_s3_that_fail_name_the_reason_and_leave_nothing() {
    use Does::{Delete, Download, Upload};
    let mut bed = bed();
    let down = closed();
    let bucket = bed.names[2].0.clone();
    let unreachable = format!("store 's' at http://{down}/{bucket}");
    bed.names.insert(0, (unreachable, "STORE"));
    let options = |text: &str| Breakage::Options(text.to_string());
    let wrong = || options("s3_store_secret_key = hunter2");
    let unknown = || options("s3_store_access_key = nobody");
    let missing = || options("s3_store_bucket = no-such-bucket");
    let is_down = || options(&format!("s3_store_host = http://{down}"));
    let busy = || refusal(503, "SlowDown");
    bed.assert(vec![
        case(
            "wrong secret",
            wrong(),
            Upload(WHOLE),
            "STORE: the secret key is wrong (SignatureDoesNotMatch)\n\
             Hint: Check s3_store_secret_key, and s3_store_region_name. QUEUED",
        ),
        case(
            "wrong secret",
            wrong(),
            Upload(PARTS),
            "STORE: the secret key is wrong (SignatureDoesNotMatch)\n\
             Hint: Check s3_store_secret_key, and s3_store_region_name. QUEUED",
        ),
        case(
            "wrong secret",
            wrong(),
            Download,
            "UNREAD (STORE: the secret key is wrong (SignatureDoesNotMatch))\n\
             Hint: Check s3_store_secret_key, and s3_store_region_name.",
        ),
        case(
            "wrong secret",
            wrong(),
            Delete,
            "'STORE: the secret key is wrong (SignatureDoesNotMatch)': Unable to delete \
             image 'KEPT'\n\
             Hint: Check s3_store_secret_key, and s3_store_region_name.",
        ),
        case(
            "unknown access key",
            unknown(),
            Upload(WHOLE),
            "STORE: the access key is unknown (InvalidAccessKeyId)\n\
             Hint: Check s3_store_access_key. QUEUED",
        ),
        case(
            "unknown access key",
            unknown(),
            Delete,
            "'STORE: the access key is unknown (InvalidAccessKeyId)': Unable to delete \
             image 'KEPT'\n\
             Hint: Check s3_store_access_key.",
        ),
        case(
            "missing bucket",
            missing(),
            Upload(WHOLE),
            "store 's' at http://HOST/no-such-bucket: the bucket is missing (NoSuchBucket)\n\
             Hint: Create it, or set s3_store_create_bucket_on_put. QUEUED",
        ),
        case(
            "missing bucket",
            missing(),
            Upload(PARTS),
            "store 's' at http://HOST/no-such-bucket: the bucket is missing (NoSuchBucket)\n\
             Hint: Create it, or set s3_store_create_bucket_on_put. QUEUED",
        ),
        case(
            "server down",
            is_down(),
            Upload(WHOLE),
            "STORE cannot be reached: Connection refused\n\
             Hint: QUEUED",
        ),
        case(
            "server down",
            is_down(),
            Download,
            "UNREAD (STORE cannot be reached: Connection refused)",
        ),
        case(
            "server down",
            is_down(),
            Delete,
            "'STORE cannot be reached: Connection refused': Unable to delete image 'KEPT'",
        ),
        case(
            "cut",
            always("PUT", "partNumber=2", 0, Fault::Cut(1_000_000)),
            Upload(PARTS),
            "STORE cannot be reached: CUT\n\
             Hint: QUEUED",
        ),
        case(
            "cut",
            always("PUT", "", 0, Fault::Cut(1_000_000)),
            Upload(WHOLE),
            "STORE cannot be reached: CUT\n\
             Hint: QUEUED",
        ),
        case(
            "cut once",
            once("PUT", "partNumber=2", 0, Fault::Cut(1_000_000)),
            Upload(PARTS),
            "",
        ),
        case(
            "cut",
            always("GET", "", 0, Fault::Shorten(1000)),
            Download,
            "STORE cannot be reached: CUT",
        ),
        case(
            "cut once",
            once("GET", "", 0, Fault::Shorten(5_000_000)),
            Download,
            "",
        ),
        case(
            "lost response",
            always("POST", "uploadId=", 0, Fault::Lose),
            Upload(PARTS),
            "",
        ),
        case(
            "lost response",
            once("DELETE", "", 0, Fault::Lose),
            Delete,
            "",
        ),
        case(
            "corrupted",
            always("PUT", "partNumber=2", 0, Fault::SpoilSent),
            Upload(PARTS),
            "STORE: the data changed on its way (BadDigest)\n\
             Hint: The image was deleted. Create it again.",
        ),
        case(
            "corrupted",
            always("PUT", "", 0, Fault::SpoilSent),
            Upload(WHOLE),
            "STORE: the data changed on its way (BadDigest)\n\
             Hint: The image was deleted. Create it again.",
        ),
        case(
            "corrupted once",
            once("PUT", "partNumber=2", 0, Fault::SpoilSent),
            Upload(PARTS),
            "",
        ),
        case(
            "corrupted",
            always("GET", "", 0, Fault::SpoilReceived),
            Download,
            "the data of image KEPT is corrupt: sha512 is DIGEST, expected DIGEST\n\
             Hint: The download was discarded. Try another store with --prefer. If the \
             data is corrupt in all stores, upload the image again.",
        ),
        case(
            "overloaded",
            always("PUT", "", 0, busy()),
            Upload(WHOLE),
            "STORE: the service is overloaded (SlowDown)\n\
             Hint: QUEUED",
        ),
        case(
            "overloaded",
            always("PUT", "partNumber=3", 0, busy()),
            Upload(PARTS),
            "STORE: the service is overloaded (SlowDown)\n\
             Hint: QUEUED",
        ),
        case(
            "overloaded",
            always("GET", "", 0, busy()),
            Download,
            "UNREAD (STORE: the service is overloaded (SlowDown))",
        ),
        case(
            "overloaded",
            always("DELETE", "", 0, busy()),
            Delete,
            "'image KEPT: the record is deleted, but its data is not: STORE: the service \
             is overloaded (SlowDown)': Unable to delete image 'KEPT'\n\
             Hint: The next command tries again.",
        ),
        case(
            "overloaded once",
            once("PUT", "partNumber=3", 0, busy()),
            Upload(PARTS),
            "",
        ),
        case(
            "failed completion",
            always("POST", "uploadId=", 0, refusal(200, "InternalError")),
            Upload(PARTS),
            "STORE: the service responded 200 InternalError\n\
             Hint: QUEUED",
        ),
        case(
            "denied",
            always("PUT", "", 0, refusal(403, "AccessDenied")),
            Upload(WHOLE),
            "STORE: access is denied (AccessDenied)\n\
             Hint: Check the rights of s3_store_access_key in the bucket. QUEUED",
        ),
        case(
            "denied",
            always("DELETE", "", 0, refusal(403, "AccessDenied")),
            Delete,
            "'image KEPT: the record is deleted, but its data is not: STORE: access is \
             denied (AccessDenied)': Unable to delete image 'KEPT'\n\
             Hint: Check the rights of s3_store_access_key in the bucket. The next command \
             tries again.",
        ),
        case(
            "another region",
            always("PUT", "", 0, refusal(301, "PermanentRedirect")),
            Upload(WHOLE),
            "STORE: the bucket is in another region (PermanentRedirect)\n\
             Hint: Set s3_store_region_name, and s3_store_host to a host of that region. \
             QUEUED",
        ),
        case(
            "another clock",
            always("PUT", "", 0, refusal(403, "RequestTimeTooSkewed")),
            Upload(WHOLE),
            "STORE: the clocks of the service and of this host differ \
             (RequestTimeTooSkewed)\n\
             Hint: Set the clock of this host. QUEUED",
        ),
        case(
            "slow",
            always(
                "PUT",
                "",
                0,
                Fault::Delay(std::time::Duration::from_secs(1)),
            ),
            Upload(WHOLE),
            "",
        ),
        limited(case(
            "silent",
            silent(),
            Upload(WHOLE),
            "STORE: no response within 1 s\n\
             Hint: QUEUED",
        )),
        limited(case(
            "silent",
            silent(),
            Download,
            "UNREAD (STORE: no response within 1 s)",
        )),
        limited(case(
            "silent",
            silent(),
            Delete,
            "'STORE: no response within 1 s': Unable to delete image 'KEPT'",
        )),
        limited(case(
            "stalls",
            always("PUT", "", 0, Fault::Stall(500_000)),
            Upload(WHOLE),
            "STORE: no response within 1 s\n\
             Hint: QUEUED",
        )),
        limited(case(
            "stalls",
            always("PUT", "partNumber=2", 0, Fault::Stall(500_000)),
            Upload(PARTS),
            "STORE: no response within 1 s\n\
             Hint: QUEUED",
        )),
        limited(case(
            "stalls",
            always("GET", "", 0, Fault::StallReceived(1_000_000)),
            Download,
            "STORE: no response within 1 s",
        )),
        limited(case(
            "trickles",
            always("GET", "", 0, Fault::Trickle(100_000)),
            Download,
            "STORE: no response within 1 s",
        )),
        case(
            "not S3",
            always(
                "POST",
                "uploads",
                0,
                Fault::Answer(Answer::page(200, "hello")),
            ),
            Upload(PARTS),
            "STORE: the service sent the ID of an upload that is invalid\n\
             Hint: QUEUED",
        ),
    ]);
}

#[test]
fn an_upload_over_a_quota_of_s3_names_it_and_leaves_nothing() {
    let bucket = Bucket::of_small_user();
    let section = bucket.configuration();
    let place = format!("store 's' at http://{}/{}", bucket.host, bucket.name);
    let contents = move || bucket.contents().into_keys().collect();
    let mut bed = Bed::new("s3", &section, Box::new(contents), 1000);
    bed.names = vec![(place, "STORE")];
    bed.spare = vec![7; 20_000_000];
    bed.assert(vec![case(
        "quota",
        Breakage::Options(String::new()),
        Does::Upload(20_000_000),
        "FULL: STORE: the quota is exceeded (QuotaExceeded)
\
         Hint: Free space in the store, or raise its quota. Select another store with \
         --store. QUEUED",
    )]);
}
