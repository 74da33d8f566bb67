//! The data of images.

use std::time::Duration;

use futures_util::TryStreamExt;
use glance_tools::ErrorKind::{
    Conflict, Forbidden, Interrupted, Invalid, NotFound, RangeNotSatisfiable, UnsupportedMedia,
};
use glance_tools::data::{Algorithm, Hasher, Source, Watch};
use glance_tools::model::{ByteRange, ImageStatus};
use glance_tools::service::{ImageBytes, ImageService, Reading, Upload};
use serde_json::json;

use super::{Deployment, contract, kind, new_image, raw_image};

contract! {
    data_makes_an_image_active_and_comes_back
    data_of_any_length_comes_back
    a_range_of_the_data_is_read_alone
    an_image_takes_data_once
    data_needs_formats
    a_promised_size_is_held
    data_that_is_not_what_it_says_is_refused
    unsafe_data_is_refused
    a_failed_upload_leaves_the_image_queued
    an_upload_that_is_stopped_leaves_the_image_queued
    deactivated_images_are_for_administrators
    an_image_without_data_has_none
    readers_do_not_download;

    local:
    // Whether data must match its format is the deployment's option, not the caller's, for a server.
    a_mismatch_can_be_allowed
}

/// Data as a pipe gives it.
pub fn pipe(bytes: &[u8]) -> Source {
    Source::reader(std::io::Cursor::new(bytes.to_vec()), "test")
}

/// All of the data.
pub async fn read_source(source: Source) -> Vec<u8> {
    // A thread of its own, as a server's answer goes on only while this one is free.
    let reading = tokio::task::spawn_blocking(move || {
        let mut reader = source.into_reader().unwrap();
        let mut all = Vec::new();
        let mut buffer = vec![0; 100_000];
        loop {
            let count = reader.fill(&mut buffer).unwrap();
            all.extend_from_slice(&buffer[..count]);
            if count < buffer.len() {
                return all;
            }
        }
    });
    reading.await.unwrap()
}

/// All of an image's data, which must have the image's hashes.
pub async fn read(bytes: ImageBytes) -> Vec<u8> {
    let image = bytes.image;
    let all = read_source(bytes.source.unwrap()).await;
    let digest = |algorithm| {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&all);
        hasher.finish()
    };
    assert_eq!(image.checksum, Some(digest(Algorithm::Md5)));
    let hash = image.hash.unwrap();
    assert_eq!(
        (hash.algorithm.as_str(), hash.value),
        ("sha512", digest(Algorithm::Sha512))
    );
    all
}

async fn data_makes_an_image_active_and_comes_back(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let image = raw_image(service.as_ref(), "x").await;
    service
        .upload_image(&image.id, Upload::new(pipe(b"hello image\n")))
        .await
        .unwrap();
    let image = service.get_image(&image.id).await.unwrap();
    assert_eq!(
        (image.status, image.size, image.virtual_size),
        (ImageStatus::Active, Some(12), Some(12))
    );
    assert_eq!(
        image.checksum.as_deref(),
        Some("e55795cd6d874046a7b10691125b24fa")
    );
    assert_eq!(
        read(
            service
                .open_image(&image.id, Reading::default())
                .await
                .unwrap()
        )
        .await,
        b"hello image\n"
    );
}

async fn data_of_any_length_comes_back(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    for length in [0, 1, 65_535, 262_144, 262_145, 5_000_000] {
        let bytes: Vec<u8> = (0..length)
            .map(|i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let image = raw_image(service.as_ref(), "x").await;
        service
            .upload_image(&image.id, Upload::new(pipe(&bytes)))
            .await
            .unwrap();
        assert!(
            read(
                service
                    .open_image(&image.id, Reading::default())
                    .await
                    .unwrap()
            )
            .await
                == bytes,
            "{length}"
        );
    }
}

async fn a_range_of_the_data_is_read_alone(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let image = raw_image(service.as_ref(), "x").await;
    let content: Vec<u8> = (0..=250_u8).cycle().take(300_000).collect();
    service
        .upload_image(&image.id, Upload::new(pipe(&content)))
        .await
        .unwrap();
    let size = content.len() as u64;
    let open = async |start, end| {
        let reading = Reading {
            range: ByteRange { start, end },
            ..Reading::default()
        };
        service.open_image(&image.id, reading).await
    };
    for (start, end) in [
        (0, Some(1)),
        (262_143, Some(262_146)),
        (100, None),
        (299_999, Some(size)),
        // Longer than the data.
        (5, Some(size + 5)),
    ] {
        let source = open(start, end).await.unwrap().source.unwrap();
        let pieces: Vec<_> = source.into_stream().try_collect().await.unwrap();
        let last = end.unwrap_or(size).min(size);
        assert!(
            pieces.concat() == content[start as usize..last as usize],
            "{start} to {end:?}"
        );
    }
    let behind = open(size, None).await.err().unwrap();
    assert_eq!(behind.kind(), RangeNotSatisfiable);
}

async fn an_image_takes_data_once(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let image = raw_image(service.as_ref(), "x").await;
    service
        .upload_image(&image.id, Upload::new(pipe(b"first")))
        .await
        .unwrap();
    assert_eq!(
        kind(
            service
                .upload_image(&image.id, Upload::new(pipe(b"second")))
                .await
        ),
        Conflict
    );
    assert_eq!(
        read(
            service
                .open_image(&image.id, Reading::default())
                .await
                .unwrap()
        )
        .await,
        b"first"
    );
    assert_eq!(
        kind(
            service
                .upload_image("nowhere", Upload::new(pipe(b"x")))
                .await
        ),
        NotFound
    );
}

async fn data_needs_formats(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    for attributes in [
        json!({}),
        json!({"disk_format": "raw"}),
        json!({"container_format": "bare"}),
    ] {
        let image = service.create_image(new_image(attributes)).await.unwrap();
        assert_eq!(
            kind(
                service
                    .upload_image(&image.id, Upload::new(pipe(b"x")))
                    .await
            ),
            Invalid
        );
        assert_eq!(
            service.get_image(&image.id).await.unwrap().status,
            ImageStatus::Queued
        );
    }
}

async fn a_promised_size_is_held(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    // A server may still be undoing the upload that a client has broken off: each has an image of its own.
    for promised in [3, 5] {
        let image = raw_image(service.as_ref(), "x").await;
        let upload = Upload {
            size: Some(promised),
            ..Upload::new(pipe(b"four"))
        };
        assert_eq!(kind(service.upload_image(&image.id, upload).await), Invalid);
        queued_again(service.as_ref(), &image.id).await;
    }
    let image = raw_image(service.as_ref(), "x").await;
    let upload = Upload {
        size: Some(4),
        ..Upload::new(pipe(b"four"))
    };
    service.upload_image(&image.id, upload).await.unwrap();
}

async fn data_that_is_not_what_it_says_is_refused(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let attributes = json!({"disk_format": "iso", "container_format": "bare"});
    let image = service.create_image(new_image(attributes)).await.unwrap();
    let refused = service
        .upload_image(&image.id, Upload::new(pipe(b"no disc")))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), UnsupportedMedia);
    assert!(
        refused
            .message()
            .contains("Image disk_format iso does not match stream data raw"),
        "{refused}"
    );
    let image = service.get_image(&image.id).await.unwrap();
    assert_eq!((image.status, image.size), (ImageStatus::Queued, None));
}

async fn a_mismatch_can_be_allowed(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let attributes = json!({"disk_format": "iso", "container_format": "bare"});
    let image = service.create_image(new_image(attributes)).await.unwrap();
    let upload = Upload {
        allow_format_mismatch: true,
        ..Upload::new(pipe(b"no disc"))
    };
    service.upload_image(&image.id, upload).await.unwrap();
    assert_eq!(
        service.get_image(&image.id).await.unwrap().virtual_size,
        None
    );
}

/// A QCOW2 header that names a backing file.
fn backed_qcow2() -> Vec<u8> {
    let mut bytes = vec![0_u8; 0x40000];
    bytes[..4].copy_from_slice(b"QFI\xfb");
    bytes[4..8].copy_from_slice(&2_u32.to_be_bytes());
    bytes[8..16].copy_from_slice(&0x200_u64.to_be_bytes());
    bytes[16..20].copy_from_slice(&11_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&16_u32.to_be_bytes());
    bytes[24..32].copy_from_slice(&1_048_576_u64.to_be_bytes());
    bytes[36..40].copy_from_slice(&1_u32.to_be_bytes());
    bytes[40..48].copy_from_slice(&0x30000_u64.to_be_bytes());
    bytes[48..56].copy_from_slice(&0x10000_u64.to_be_bytes());
    bytes[56..60].copy_from_slice(&1_u32.to_be_bytes());
    bytes[0x200..0x20b].copy_from_slice(b"/etc/passwd");
    bytes
}

async fn unsafe_data_is_refused(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    // It is unsafe by whatever name.
    for disk_format in ["qcow2", "raw"] {
        for allow_format_mismatch in [false, true] {
            let attributes = json!({"disk_format": disk_format, "container_format": "bare"});
            let image = service.create_image(new_image(attributes)).await.unwrap();
            let upload = Upload {
                allow_format_mismatch,
                ..Upload::new(pipe(&backed_qcow2()))
            };
            assert_eq!(
                kind(service.upload_image(&image.id, upload).await),
                UnsupportedMedia,
                "{disk_format}"
            );
        }
    }
}

/// What is waited between two looks at what a server does.
const A_MOMENT: Duration = Duration::from_millis(50);

/// Waits until the image is queued: a server may notice only after a while that an upload has broken off.
async fn queued_again(service: &dyn ImageService, id: &str) {
    for _ in 0..200 {
        let image = service.get_image(id).await.unwrap();
        if image.status != ImageStatus::Saving {
            assert_eq!((image.status, image.size), (ImageStatus::Queued, None));
            return;
        }
        tokio::time::sleep(A_MOMENT).await;
    }
    panic!("image {id} is still saving")
}

/// Input that breaks off.
struct Broken(usize);

impl std::io::Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return Err(std::io::Error::other("the input broke"));
        }
        self.0 -= 1;
        buffer.fill(1);
        Ok(buffer.len())
    }
}

async fn a_failed_upload_leaves_the_image_queued(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    // A server may learn of an upload, and that it was broken off, after the client has given up: each has an image of its
    // own, and the next one waits.
    for reads in [0, 1, 20] {
        let image = raw_image(service.as_ref(), "x").await;
        let source = Source::reader(Broken(reads), "a broken pipe");
        assert!(
            service
                .upload_image(&image.id, Upload::new(source))
                .await
                .is_err()
        );
        queued_again(service.as_ref(), &image.id).await;
        for attempt in 0.. {
            let upload = Upload::new(pipe(b"then it works"));
            match service.upload_image(&image.id, upload).await {
                Err(error) if error.kind() == Conflict && attempt < 200 => {
                    tokio::time::sleep(A_MOMENT).await;
                }
                done => {
                    done.unwrap();
                    break;
                }
            }
        }
    }
}

async fn an_upload_that_is_stopped_leaves_the_image_queued(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let image = raw_image(service.as_ref(), "x").await;
    let watch = Watch::default();
    watch.stop();
    let upload = Upload {
        watch,
        ..Upload::new(pipe(&vec![0; 1_000_000]))
    };
    assert_eq!(
        kind(service.upload_image(&image.id, upload).await),
        Interrupted
    );
    queued_again(service.as_ref(), &image.id).await;
}

async fn deactivated_images_are_for_administrators(on: impl Deployment) {
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "x").await;
    demo.upload_image(&image.id, Upload::new(pipe(b"data")))
        .await
        .unwrap();
    demo.deactivate_image(&image.id).await.unwrap();
    assert_eq!(
        demo.open_image(&image.id, Reading::default())
            .await
            .err()
            .map(|e| e.kind()),
        Some(Forbidden)
    );
    let admin = on.service("admin:admin:u").await;
    assert_eq!(
        read(
            admin
                .open_image(&image.id, Reading::default())
                .await
                .unwrap()
        )
        .await,
        b"data"
    );
}

async fn an_image_without_data_has_none(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let image = raw_image(service.as_ref(), "x").await;
    assert!(
        service
            .open_image(&image.id, Reading::default())
            .await
            .unwrap()
            .source
            .is_none()
    );
}

async fn readers_do_not_download(on: impl Deployment) {
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "x").await;
    demo.upload_image(&image.id, Upload::new(pipe(b"data")))
        .await
        .unwrap();
    let reader = on.service("demo:reader:u").await;
    assert_eq!(
        reader
            .open_image(&image.id, Reading::default())
            .await
            .err()
            .map(|e| e.kind()),
        Some(Forbidden)
    );
}
