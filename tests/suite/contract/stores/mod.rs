//! What every store MUST do: one suite for all kinds, kill tests included.

mod rbd;
mod s3;
mod swift;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use glance_tools::data::pump::{Taken, transfer};
use glance_tools::data::{Algorithm, Source, Watch};
use glance_tools::local::store::{Directory, FileStore, Removal, Store, Writer, Writing};
use glance_tools::model::store::StoreDetail;
use glance_tools::model::{ByteRange, StoreInfo, Timestamp};
use glance_tools::{Error, ErrorKind, Result};
use tempfile::TempDir;

use crate::support::{Random, block_on};

const ID: &str = "11111111-2222-4333-8444-555555555555";
const OTHER: &str = "66666666-2222-4333-8444-555555555555";

/// Data of several blocks that ends within one.
fn content() -> Vec<u8> {
    (0..=250_u8).cycle().take(3 * 256 * 1024 + 1000).collect()
}

/// A place that a kind of store keeps data in.
trait Site {
    /// Opens the store anew.
    fn store(&self) -> Box<dyn Store>;

    /// Puts data there past the store; returns its address.
    fn put(&self, id: &str, bytes: &[u8]) -> String;

    /// All that is there, unfinished data included, by name.
    fn contents(&self) -> BTreeMap<String, Vec<u8>>;

    /// The address of data that is not there.
    fn missing(&self) -> String;

    /// The text by which another process finds it.
    fn place(&self) -> OsString;
}

fn info() -> StoreInfo {
    StoreInfo {
        id: "s".to_string(),
        description: None,
        is_default: true,
        read_only: false,
        detail: Some(StoreDetail {
            kind: "any".to_string(),
            weight: 0,
            properties: serde_json::Map::new(),
            space: None,
        }),
    }
}

/// Two directories. Data goes to the first one.
struct Files {
    top: PathBuf,
    /// Removes them.
    _owned: Option<TempDir>,
}

impl Files {
    fn new() -> Self {
        let top = TempDir::new().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir(top.path().join(name)).unwrap();
            std::fs::write(top.path().join(name).join("beside"), name).unwrap();
        }
        Self {
            top: top.path().to_path_buf(),
            _owned: Some(top),
        }
    }
}

impl Site for Files {
    fn store(&self) -> Box<dyn Store> {
        let directory = |name, priority| Directory {
            path: self.top.join(name),
            priority,
        };
        let writing = Writing {
            mode: 0o640,
            sparse: false,
        };
        let directories = vec![directory("a", 2), directory("b", 1)];
        Box::new(FileStore::new(info(), directories, writing))
    }

    fn put(&self, id: &str, bytes: &[u8]) -> String {
        let path = self.top.join("a").join(id);
        std::fs::write(&path, bytes).unwrap();
        format!("file://{}", path.display())
    }

    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        for name in ["a", "b"] {
            for entry in std::fs::read_dir(self.top.join(name)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    continue;
                }
                let file = path.file_name().unwrap().to_str().unwrap();
                all.insert(format!("{name}/{file}"), std::fs::read(&path).unwrap());
            }
        }
        all
    }

    fn missing(&self) -> String {
        format!("file://{}/a/missing", self.top.display())
    }

    fn place(&self) -> OsString {
        self.top.clone().into()
    }
}

/// The tests of a kind of store that is written to.
macro_rules! writable {
    ($name:ident, $site:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn what_is_committed_is_read_back_whole_and_in_ranges() {
                block_on(committed_data_is_read_back(&$site));
            }

            #[test]
            fn nothing_is_at_the_address_before_the_commit() {
                block_on(a_commit_is_all_or_nothing(&$site));
            }

            #[test]
            fn an_abort_leaves_nothing() {
                block_on(aborts_leave_nothing(&$site));
            }

            #[test]
            fn what_a_dropped_writer_leaves_is_cleared() {
                block_on(dropped_writers_are_cleared(&$site));
            }

            #[test]
            fn what_a_killed_process_leaves_is_cleared() {
                killed_processes_are_cleared(&$site, stringify!($name));
            }

            #[test]
            fn what_processes_killed_at_any_moment_leave_is_cleared() {
                random_kills_are_cleared(&$site, stringify!($name));
            }

            #[test]
            fn other_data_of_the_same_name_is_refused_and_stays() {
                block_on(other_data_stays(&$site));
            }

            #[test]
            fn deletions_report_what_was_there_and_last() {
                block_on(deletions_report(&$site));
            }

            #[test]
            fn addresses_are_its_own() {
                block_on(addresses_are_consistent(&$site));
            }

            #[test]
            fn what_is_missing_is_not_found() {
                block_on(missing_data_is_not_found(&$site));
            }
        }
    };
}

writable!(file, Files::new());
writable!(in_rbd, rbd::Images::new());
writable!(in_swift, swift::Objects::in_segments());
writable!(
    in_swift_with_prefixes,
    swift::Objects::in_segments_of_a_prefix()
);
writable!(in_swift_whole, swift::Objects::whole());
writable!(in_swift_of_keystone, swift::Objects::of_keystone());
writable!(in_swift_of_ceph, swift::Objects::of_gateway());
writable!(
    in_swift_of_ceph_with_prefixes,
    swift::Objects::of_gateway_with_prefixes()
);
writable!(in_swift_of_ceph_whole, swift::Objects::of_gateway_whole());
writable!(in_s3, s3::Objects::in_parts());
writable!(in_s3_whole, s3::Objects::whole());
writable!(in_small_s3, s3::Objects::on_small_server());

/// Web servers are only read.
mod http {
    use glance_tools::config;
    use glance_tools::local::store::HttpStore;

    use super::*;
    use crate::support::http::{Answer, Exchange, Server, Then};

    /// Serves the data at `/image`; ranges of it only if `knows_ranges`.
    fn serve(exchange: &mut Exchange, knows_ranges: bool) -> Then {
        let kind = "application/octet-stream";
        let request = &exchange.request;
        if request.target != "/image" {
            return exchange.send(&Answer::empty(404));
        }
        let data = content();
        let asked = request.header("range").filter(|_| knows_ranges);
        let Some(asked) = asked.map(str::to_string) else {
            return exchange.send(&Answer::new(200, kind, data));
        };
        let (first, last) = asked
            .strip_prefix("bytes=")
            .unwrap()
            .split_once('-')
            .unwrap();
        let first: usize = first.parse().unwrap();
        let end = last.parse().map_or(data.len(), |last: usize| last + 1);
        let end = end.min(data.len());
        if first >= data.len() {
            return exchange.send(&Answer::empty(416));
        }
        let answer = Answer::new(206, kind, &data[first..end]);
        let range = format!("bytes {first}-{}/{}", end - 1, data.len());
        exchange.send(&answer.with("Content-Range", &range))
    }

    fn store() -> HttpStore {
        let info = StoreInfo {
            read_only: true,
            ..info()
        };
        HttpStore::new(info, config::HttpStore::default())
    }

    #[test]
    fn data_is_read_whole_and_in_ranges_whatever_the_server_knows() {
        for knows_ranges in [true, false] {
            let server = Server::start(move |exchange| serve(exchange, knows_ranges));
            let (store, url) = (store(), server.url("/image"));
            block_on(async {
                assert_eq!(store.size(&url).await.unwrap(), content().len() as u64);
                let all = read(&store, &url, ByteRange::ALL).await.unwrap();
                assert!(all == content());
                assert_ranges(&store, &url, &content()).await;
            });
        }
    }

    #[test]
    fn what_is_missing_is_not_found() {
        let server = Server::start(|exchange| serve(exchange, true));
        let (store, url) = (store(), server.url("/other"));
        block_on(async {
            let refused = store.size(&url).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::NotFound);
            let opened = store.open(&url, ByteRange::ALL).await;
            assert_eq!(opened.err().unwrap().kind(), ErrorKind::NotFound);
            let refused = store.size("nonsense").await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid);
        });
    }

    #[test]
    fn nothing_is_stored_or_deleted() {
        let server = Server::start(|exchange| serve(exchange, true));
        let (store, url) = (store(), server.url("/image"));
        assert!(store.reads(&url) && store.owns(&url));
        assert!(!store.is_exclusive(&url, ID));
        block_on(async {
            assert!(store.addresses(ID).await.unwrap().is_empty());
            let refused = store.create(ID, None).await.err().unwrap();
            assert_eq!(refused.kind(), ErrorKind::Gone);
            store.check_delete(&url).await.unwrap();
            store.clear(ID, &[]).await.unwrap();
            let removal = Removal {
                url,
                unless_later: None,
            };
            let refused = store.delete(vec![removal], false).await.pop().unwrap();
            assert!(refused.is_err());
        });
        let methods: Vec<String> = server.lines();
        assert!(methods.is_empty(), "{methods:?}");
    }
}

/// Data that arrives in pieces; it ends with an error after `good` bytes, if any are given.
fn arriving(good: Option<usize>) -> Source {
    let mut pieces: Vec<Result<Bytes>> = content()
        [..good.unwrap_or(usize::MAX).min(content().len())]
        .chunks(50_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    if good.is_some() {
        pieces.push(Err(Error::failed("the client went away")));
    }
    Source::stream(stream::iter(pieces))
}

async fn take(writer: &mut dyn Writer, source: Source) -> Result<Taken> {
    let sink = writer.sink().await?;
    let look = Box::new(|_: &[u8]| Ok(()));
    transfer(source, sink, vec![Algorithm::Md5], Watch::default(), look).await
}

async fn read(store: &dyn Store, url: &str, range: ByteRange) -> Result<Vec<u8>> {
    let stream = store.open(url, range).await?.into_stream();
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    Ok(pieces.concat())
}

/// How far a storing goes before it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Created,
    Begun,
    Broken,
    Taken,
    Committed,
}

const STAGES: [Stage; 5] = [
    Stage::Created,
    Stage::Begun,
    Stage::Broken,
    Stage::Taken,
    Stage::Committed,
];

/// Stores data up to a stage.
async fn store_until(store: &dyn Store, stage: Stage) -> Box<dyn Writer> {
    let mut writer = store.create(ID, None).await.unwrap();
    match stage {
        Stage::Created => {}
        Stage::Begun => drop(writer.sink().await.unwrap()),
        Stage::Broken => {
            let broken = take(writer.as_mut(), arriving(Some(600_000))).await;
            assert_eq!(broken.unwrap_err().message(), "the client went away");
        }
        Stage::Taken | Stage::Committed => {
            take(writer.as_mut(), arriving(None)).await.unwrap();
        }
    }
    if stage == Stage::Committed {
        writer.commit().await.unwrap();
    }
    writer
}

async fn committed_data_is_read_back(site: &impl Site) {
    let store = site.store();
    for (source, size) in [(arriving(None), content().len()), (Source::empty(), 0)] {
        let mut writer = store.create(ID, Some(size as u64)).await.unwrap();
        let taken = take(writer.as_mut(), source).await.unwrap();
        assert_eq!(taken.size, size as u64);
        writer.commit().await.unwrap();
        let url = writer.address().to_string();
        drop(writer);
        assert_eq!(store.size(&url).await.unwrap(), size as u64);
        let all = read(&*store, &url, ByteRange::ALL).await.unwrap();
        assert!(all == content()[..size]);
        assert_ranges(&*store, &url, &content()[..size]).await;
        let removal = Removal {
            url,
            unless_later: None,
        };
        let removed = store.delete(vec![removal], false).await.pop().unwrap();
        assert_eq!(removed.unwrap(), Some(size as u64));
    }
}

/// Every range of the data is what it says, and one behind the data is refused.
async fn assert_ranges(store: &dyn Store, url: &str, data: &[u8]) {
    let size = data.len() as u64;
    for (start, end) in [
        (0, Some(1)),
        (1, None),
        (5, Some(6)),
        (262_143, Some(262_146)),
        (1, Some(size + 7)),
        (size.saturating_sub(1), None),
    ] {
        if start >= size {
            continue;
        }
        let range = ByteRange { start, end };
        let last = end.unwrap_or(size).min(size);
        let expected = &data[start as usize..last as usize];
        assert!(
            read(store, url, range).await.unwrap() == expected,
            "{range:?} of {size}"
        );
    }
    let end = None;
    let behind = read(store, url, ByteRange { start: size, end }).await;
    if size > 0 {
        assert_eq!(behind.unwrap_err().kind(), ErrorKind::RangeNotSatisfiable);
    }
}

async fn a_commit_is_all_or_nothing(site: &impl Site) {
    let store = site.store();
    for stage in STAGES {
        let mut writer = store_until(&*store, stage).await;
        let url = writer.address().to_string();
        let found = store.size(&url).await;
        if stage == Stage::Committed {
            assert_eq!(found.unwrap(), content().len() as u64);
        } else {
            assert_eq!(found.unwrap_err().kind(), ErrorKind::NotFound, "{stage:?}");
            let opened = store.open(&url, ByteRange::ALL).await;
            assert_eq!(opened.err().unwrap().kind(), ErrorKind::NotFound);
        }
        writer.abort().await.unwrap();
    }
}

async fn aborts_leave_nothing(site: &impl Site) {
    let before = site.contents();
    for stage in STAGES {
        let store = site.store();
        let mut writer = store_until(&*store, stage).await;
        writer.abort().await.unwrap();
        writer.abort().await.unwrap();
        drop(writer);
        assert_eq!(site.contents(), before, "{stage:?}");
    }
}

async fn dropped_writers_are_cleared(site: &impl Site) {
    let before = site.contents();
    for stage in STAGES {
        let url = store_until(&*site.store(), stage)
            .await
            .address()
            .to_string();
        assert_cleared(site, &before, &url, stage).await;
    }
}

/// What is recorded stays; without a record nothing does.
async fn assert_cleared(
    site: &impl Site,
    before: &BTreeMap<String, Vec<u8>>,
    url: &str,
    stage: Stage,
) {
    let store = site.store();
    if stage == Stage::Committed {
        store.clear(ID, &[url.to_string()]).await.unwrap();
        let all = read(&*store, url, ByteRange::ALL).await.unwrap();
        assert!(all == content(), "recorded data stays");
    }
    store.clear(ID, &[]).await.unwrap();
    assert_eq!(site.contents(), *before, "{stage:?}");
    store.clear(ID, &[]).await.unwrap();
    store.clear(OTHER, &[]).await.unwrap();
    assert_eq!(site.contents(), *before, "clearing again is harmless");
}

/// The variables that tell a child which kind of store to write to, where, and how far.
const KIND: &str = "GLANCE_TEST_STORE";
const PLACE: &str = "GLANCE_TEST_STORE_PLACE";
const STAGE: &str = "GLANCE_TEST_STORE_STAGE";

fn killed_processes_are_cleared(site: &impl Site, kind: &str) {
    let before = site.contents();
    for (number, stage) in STAGES.into_iter().enumerate() {
        let status = child_of(site, kind, &number.to_string()).output().unwrap();
        let said = String::from_utf8_lossy(&status.stdout).into_owned();
        assert_eq!(status.status.code(), None, "the child was killed: {said}");
        let url = block_on(site.store().addresses(ID)).unwrap().remove(0);
        block_on(assert_cleared(site, &before, &url, stage));
    }
}

/// How many processes are killed at random moments; many if the environment asks for it.
fn kills() -> u64 {
    if std::env::var_os("GLANCE_TEST_THOROUGH").is_some() {
        200
    } else {
        12
    }
}

/// The stage of a process that reports each step and is killed.
const KILLED: &str = "killed";

fn random_kills_are_cleared(site: &impl Site, kind: &str) {
    let before = site.contents();
    let mut random = Random::new(7);
    let mut whole = Duration::ZERO;
    for round in 0..=kills() {
        let mut child = child_of(site, kind, KILLED)
            .arg("--nocapture")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut wait_for = |word: &str| {
            let found = lines.find(|line| line.as_ref().unwrap().ends_with(word));
            assert!(found.is_some(), "the child ended before it was killed");
        };
        wait_for("begun");
        let began = Instant::now();
        if round == 0 {
            // The moments cover all of it.
            wait_for("stored");
            whole = began.elapsed() * 5 / 4;
        } else {
            let most = u64::try_from(whole.as_micros()).unwrap();
            std::thread::sleep(Duration::from_micros(random.below(most)));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        block_on(async {
            let store = site.store();
            store.clear(ID, &[]).await.unwrap();
            assert_eq!(names(&site.contents()), names(&before), "round {round}");
            store.clear(ID, &[]).await.unwrap();
        });
    }
    assert_eq!(site.contents(), before);
}

fn names(contents: &BTreeMap<String, Vec<u8>>) -> Vec<&String> {
    contents.keys().collect()
}

/// A process that stores data at the same site up to a stage.
fn child_of(site: &impl Site, kind: &str, stage: &str) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let module = module_path!().split_once("::").unwrap().1;
    child
        .args(["--exact", "--ignored", "--test-threads=1"])
        .arg(format!("{module}::child"))
        .env(KIND, kind)
        .env(PLACE, site.place())
        .env(STAGE, stage);
    child
}

#[test]
#[ignore = "the process that `killed_processes_are_cleared` starts, and which kills itself"]
fn child() {
    let Ok(kind) = std::env::var(KIND) else {
        return;
    };
    let place = PathBuf::from(std::env::var_os(PLACE).unwrap());
    match kind.as_str() {
        "file" => store_and_die(&Files {
            top: place,
            _owned: None,
        }),
        "in_rbd" => store_and_die(&rbd::Images::at(&place)),
        kind if kind.starts_with("in_swift") => store_and_die(&swift::Objects::at(&place)),
        "in_s3" | "in_s3_whole" | "in_small_s3" => store_and_die(&s3::Objects::at(&place)),
        other => panic!("{other}"),
    }
}

/// Stores data up to the stage that the parent named, and ends at once.
fn store_and_die(site: &impl Site) {
    let stage = std::env::var(STAGE).unwrap();
    if stage == KILLED {
        let store = site.store();
        tell_parent("begun");
        let _writer = block_on(store_until(&*store, Stage::Committed));
        tell_parent("stored");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let stage: usize = stage.parse().unwrap();
    block_on(async {
        let _writer = store_until(&*site.store(), STAGES[stage]).await;
        std::process::abort();
    });
}

/// Writes a line that the parent waits for.
fn tell_parent(line: &str) {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}").unwrap();
    stdout.flush().unwrap();
}

async fn other_data_stays(site: &impl Site) {
    let store = site.store();
    let url = site.put(ID, b"other");
    let refused = store.create(ID, None).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let removal = Removal {
        url: url.clone(),
        unless_later: None,
    };
    store
        .delete(vec![removal], false)
        .await
        .pop()
        .unwrap()
        .unwrap();
    // Other data arrives while ours is stored.
    let mut writer = store_until(&*store, Stage::Taken).await;
    site.put(ID, b"other");
    let refused = writer.commit().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    writer.abort().await.unwrap();
    let all = read(&*store, &url, ByteRange::ALL).await.unwrap();
    assert_eq!(all, b"other");
}

async fn deletions_report(site: &impl Site) {
    let store = site.store();
    let (one, two) = (site.put(ID, b"12345"), site.put(OTHER, b"123"));
    let missing = site.missing();
    let removal = |url: &String, unless_later| Removal {
        url: url.clone(),
        unless_later,
    };
    let urls = [&one, &missing, &two];
    let all = || urls.map(|url| removal(url, None)).to_vec();
    let before = site.contents();
    let outcomes = |outcomes: Vec<Result<Option<u64>>>| -> Vec<Option<u64>> {
        outcomes.into_iter().map(Result::unwrap).collect()
    };
    let expected = [Some(5), None, Some(3)];
    assert_eq!(outcomes(store.delete(all(), true).await), expected);
    assert_eq!(site.contents(), before, "nothing was deleted");
    for url in urls {
        store.check_delete(url).await.unwrap();
    }
    let late = vec![removal(&one, Some(Timestamp::EPOCH))];
    let refused = store.delete(late, false).await.pop().unwrap();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Failed);
    assert_eq!(site.contents(), before, "it was written later");
    let early = removal(&one, Some(Timestamp::now()));
    let kept = vec![early, removal(&missing, None), removal(&two, None)];
    assert_eq!(outcomes(store.delete(kept, false).await), expected);
    assert_eq!(outcomes(store.delete(all(), false).await), [None; 3]);
}

async fn addresses_are_consistent(site: &impl Site) {
    let store = site.store();
    let addresses = store.addresses(ID).await.unwrap();
    let writer = store.create(ID, None).await.unwrap();
    assert!(addresses.iter().any(|url| url == writer.address()));
    for url in &addresses {
        assert!(store.reads(url) && store.owns(url), "{url}");
        assert!(!store.is_exclusive(url, OTHER), "{url}");
    }
    let foreign = "https://127.0.0.1/image";
    assert!(!store.reads(foreign) && !store.owns(foreign));
}

async fn missing_data_is_not_found(site: &impl Site) {
    let (store, url) = (site.store(), site.missing());
    let refused = store.size(&url).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let opened = store.open(&url, ByteRange::ALL).await;
    assert_eq!(opened.err().unwrap().kind(), ErrorKind::NotFound);
    for url in ["", "nonsense"] {
        let refused = store.size(url).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{url}");
    }
}
