//! Connections that are cut.

use super::*;

/// A proxy that passes connections on, and cuts one of them.
struct Cutter {
    address: String,
    /// The number of bytes until the cut, to the server and from it; negative: no cut.
    left: Arc<[AtomicI64; 2]>,
    is_over: Arc<AtomicBool>,
}

impl Cutter {
    fn new(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (server, left) = (server.to_string(), Arc::new([-1, -1].map(AtomicI64::new)));
        let is_over = Arc::new(AtomicBool::new(false));
        let (counters, ends) = (Arc::clone(&left), Arc::clone(&is_over));
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if ends.load(Ordering::SeqCst) {
                    break;
                }
                let server = TcpStream::connect(&server).unwrap();
                for (way, from, to) in [(0, &client, &server), (1, &server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let counters = Arc::clone(&counters);
                    std::thread::spawn(move || pass_on(&from, &to, &counters[way]));
                }
            }
        });
        Self {
            address,
            left,
            is_over,
        }
    }

    /// Cuts after so many bytes to the server, or from it.
    fn cut_after(&self, way: usize, bytes: i64) {
        self.left[way].store(bytes, Ordering::SeqCst);
    }

    fn has_cut(&self, way: usize) -> bool {
        self.left[way].load(Ordering::SeqCst) < 0
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

fn pass_on(mut from: &TcpStream, mut to: &TcpStream, left: &AtomicI64) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let bytes = from.read(&mut buffer).unwrap_or(0);
        let arrived = i64::try_from(bytes).unwrap();
        let before = left.load(Ordering::SeqCst);
        let is_cut = before >= 0 && left.fetch_sub(arrived, Ordering::SeqCst) < arrived;
        let bytes = match usize::try_from(before) {
            Ok(before) if is_cut => before,
            _ => bytes,
        };
        if to.write_all(&buffer[..bytes]).is_err() || bytes == 0 || is_cut {
            break;
        }
    }
    // Both ends of a connection that was cut see it.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// The same containers behind a proxy that cuts.
fn behind(site: &Objects) -> (Objects, Cutter) {
    let server = site.account.auth_address.strip_prefix("http://").unwrap();
    let server = server.strip_suffix("/auth/v1.0").unwrap();
    let cutter = Cutter::new(server);
    let account = Account {
        auth_address: site.account.auth_address.replace(server, &cutter.address),
        ..site.account.clone()
    };
    let behind = Objects {
        account,
        storage: site.storage.clone(),
        container: site.container.clone(),
        sizes: site.sizes,
        is_owned: false,
    };
    (behind, cutter)
}

#[test]
fn a_connection_that_is_cut_during_an_upload_leaves_nothing() {
    for site in [Objects::in_segments(), Objects::whole()] {
        let (behind, cutter) = behind(&site);
        for at in [0, 1000, 150_000, 450_000, 699_000] {
            let store = behind.store();
            let refused = block_on(async {
                let mut writer = store.create(ID, Some(700_000)).await.unwrap();
                cutter.cut_after(0, at);
                let stored = async {
                    take(writer.as_mut(), arriving(&data(700_000))).await?;
                    writer.commit().await
                };
                let stored = stored.await;
                if stored.is_err() {
                    writer.abort().await.unwrap();
                }
                (stored, writer.address().to_string())
            });
            assert!(cutter.has_cut(0), "at {at}");
            match refused {
                // What changes nothing is sent again.
                (Ok(()), url) => {
                    assert_eq!(block_on(delete(&*store, &url)).unwrap(), Some(700_000));
                }
                (Err(error), _) => {
                    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
                    let expected = format!("store 's': http://{} cannot be", cutter.address);
                    assert!(error.message().starts_with(&expected), "{error}");
                }
            }
            assert_eq!(names_of(&site), ["beside"], "at {at}");
        }
    }
}

#[test]
fn buffered_segments_are_sent_again_after_a_cut() {
    let site = Objects::in_segments();
    let (behind, cutter) = behind(&site);
    let directory = tempfile::tempdir().unwrap();
    let store = behind.store_with(&format!(
        "swift_buffer_on_upload = true\nswift_upload_buffer_dir = {}\n",
        directory.path().display()
    ));
    let sent = data(700_000);
    block_on(async {
        let mut writer = store.create(ID, None).await.unwrap();
        cutter.cut_after(0, 450_000);
        take(writer.as_mut(), arriving(&sent)).await.unwrap();
        writer.commit().await.unwrap();
        assert!(cutter.has_cut(0));
        let url = writer.address().to_string();
        assert!(read(&store, &url, ByteRange::ALL).await.unwrap() == sent);
        delete(&store, &url).await.unwrap();
    });
}

#[test]
fn a_download_that_is_cut_is_continued_as_often_as_configured() {
    let site = Objects::in_segments();
    let (behind, cutter) = behind(&site);
    let sent = data(2_000_000);
    for retries in [0, 1] {
        let store = behind.store_with(&format!("swift_store_retry_get_count = {retries}\n"));
        let url = block_on(store_data(&store, None, &sent)).unwrap();
        for range in [
            ByteRange::ALL,
            ByteRange {
                start: 10,
                end: Some(1_999_990),
            },
        ] {
            let all = block_on(async {
                store.size(&url).await.unwrap();
                cutter.cut_after(1, 900_000);
                read(&store, &url, range).await
            });
            assert!(cutter.has_cut(1));
            let end = range.end.unwrap_or(2_000_000) as usize;
            match all {
                Ok(all) => assert!(retries == 1 && all == sent[range.start as usize..end]),
                Err(error) => assert!(
                    retries == 0 && error.kind() == ErrorKind::Unreachable,
                    "{error}"
                ),
            }
        }
        block_on(delete(&store, &url)).unwrap();
    }
}
