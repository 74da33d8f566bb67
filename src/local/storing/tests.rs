use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use crate::config::Settings;
use crate::data::pump::Sink;
use crate::data::{Algorithm, Hasher, Source, Watch};
use crate::local::directories::FILE_MODE;
use crate::local::store::{
    Directory, FileStore, Removal, Store, StoreSet, Writer, Writing, file_path,
};
use crate::local::{Engine, Local};
use crate::model::{
    ByteRange, Caller, Destination, Image, ImageStatus, Import, ImportMethod, NewImage, StoreInfo,
};
use crate::service::{ImageData, Images, Imports, Staging, Upload};
use crate::{Error, Result};

const DATA: &[u8] = b"data of an image";

/// The same data after its first byte was changed.
const CHANGED: &[u8] = b"Data of an image";

/// A store of files that changes the first byte of all data after its commit.
struct Corrupting(FileStore);

struct CorruptingWriter(Box<dyn Writer>);

#[async_trait]
impl Writer for CorruptingWriter {
    fn address(&self) -> &str {
        self.0.address()
    }

    async fn sink(&mut self) -> Result<Sink<'_>> {
        self.0.sink().await
    }

    async fn commit(&mut self) -> Result<()> {
        self.0.commit().await?;
        let path = file_path(self.0.address()).unwrap();
        let mut data = std::fs::read(&path).unwrap();
        data[0] ^= 0x20;
        std::fs::write(path, data).unwrap();
        Ok(())
    }

    async fn abort(&mut self) -> Result<()> {
        self.0.abort().await
    }
}

#[async_trait]
impl Store for Corrupting {
    fn info(&self) -> &StoreInfo {
        self.0.info()
    }

    fn reads(&self, url: &str) -> bool {
        self.0.reads(url)
    }

    fn owns(&self, url: &str) -> bool {
        self.0.owns(url)
    }

    async fn addresses(&self, id: &str) -> Result<Vec<String>> {
        self.0.addresses(id).await
    }

    async fn create(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Writer>> {
        Ok(Box::new(CorruptingWriter(self.0.create(id, size).await?)))
    }

    async fn size(&self, url: &str) -> Result<u64> {
        self.0.size(url).await
    }

    async fn open(&self, url: &str, range: ByteRange) -> Result<Source> {
        self.0.open(url, range).await
    }

    async fn check_delete(&self, url: &str) -> Result<()> {
        self.0.check_delete(url).await
    }

    async fn delete(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        self.0.delete(removals, dry_run).await
    }

    async fn clear(&self, id: &str, recorded: &[String]) -> Result<()> {
        self.0.clear(id, recorded).await
    }
}

/// A deployment with the stores `good`, the default, and `bad`, which corrupts.
struct Deployment {
    directory: tempfile::TempDir,
    local: Local,
}

impl Deployment {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = "[DEFAULT]\nenabled_backends = good:file, bad:file\n[glance_store]\ndefault_backend = good\n\
             [good]\nfilesystem_store_datadir = good\n[bad]\nfilesystem_store_datadir = bad\n";
        std::fs::write(directory.path().join("glance-api.conf"), configuration).unwrap();
        let settings = Settings::for_data_dir(directory.path()).unwrap();
        let mut engine = Engine::open(settings).await.unwrap();
        let store = |id: &str| {
            let place = Directory {
                path: directory.path().join(id),
                priority: 0,
            };
            let writing = Writing {
                mode: FILE_MODE,
                sparse: false,
            };
            FileStore::new(StoreInfo::of(id), vec![place], writing)
        };
        let stores: Vec<Box<dyn Store>> =
            vec![Box::new(store("good")), Box::new(Corrupting(store("bad")))];
        Arc::get_mut(&mut engine).unwrap().stores =
            StoreSet::new(stores, "good".to_string().into(), true);
        let local = engine.act_as(Caller::default());
        Self { directory, local }
    }

    async fn queued(&self) -> Image {
        let new = json!({"disk_format": "raw", "container_format": "bare"});
        let attributes = new.as_object().unwrap().clone();
        let new = NewImage { attributes };
        self.local.create_image(new).await.unwrap()
    }

    async fn upload(&self, local: &Local, id: &str, store: &str) -> Result<Image> {
        let upload = Upload {
            store: Some(store.to_string()),
            ..Upload::new(source())
        };
        local.upload_image(id, upload).await
    }

    async fn import(&self, local: &Local, id: &str, method: ImportMethod, to: &str) -> Result<()> {
        let import = Import {
            to: Destination::Several(vec![to.to_string()]),
            ..Import::new(method)
        };
        local
            .import_image(id, import, Watch::default())
            .await?
            .await
    }

    /// Checks the error of a verification, and that neither data nor a journal entry is left.
    #[track_caller]
    fn check(&self, error: &Error, id: &str) {
        let hash = |data: &[u8]| {
            let mut hasher = Hasher::new(Algorithm::Sha512);
            hasher.update(data);
            hasher.finish()
        };
        assert_eq!(
            error.message(),
            format!(
                "store 'bad' returned other data of image {id} than was stored: its sha512 is {} instead of {}",
                hash(CHANGED),
                hash(DATA)
            )
        );
        for directory in ["bad", ".journal"] {
            let mut entries = std::fs::read_dir(self.directory.path().join(directory)).unwrap();
            let left = entries.find(|entry| entry.as_ref().unwrap().path().is_file());
            assert!(left.is_none(), "{left:?}");
        }
    }
}

fn source() -> Source {
    Source::stream(stream::iter([Ok(Bytes::from_static(DATA))]))
}

#[tokio::test]
async fn an_upload_into_a_store_that_corrupts_leaves_a_queued_image() {
    let place = Deployment::open().await;
    let verifying = place.local.clone().verifying_stored();
    let image = place.queued().await;
    let error = place
        .upload(&verifying, &image.id, "bad")
        .await
        .unwrap_err();
    place.check(&error, &image.id);
    let now = place.local.get_image(&image.id).await.unwrap();
    assert_eq!((now.status, now.size), (ImageStatus::Queued, None));
    // The same image into another store, and without the verification.
    let stored = place.upload(&verifying, &image.id, "good").await.unwrap();
    assert_eq!(stored.status, ImageStatus::Active);
    let unverified = place.queued().await;
    let stored = place.upload(&place.local, &unverified.id, "bad").await;
    assert_eq!(stored.unwrap().status, ImageStatus::Active);
}

#[tokio::test]
async fn an_import_into_a_store_that_corrupts_keeps_the_staged_data() {
    let place = Deployment::open().await;
    let verifying = place.local.clone().verifying_stored();
    let image = place.queued().await;
    let staging = Staging {
        source: source(),
        size: None,
        watch: Watch::default(),
    };
    verifying.stage_image(&image.id, staging).await.unwrap();
    let method = || ImportMethod::GlanceDirect;
    let failed = place.import(&verifying, &image.id, method(), "bad").await;
    place.check(&failed.unwrap_err(), &image.id);
    let now = place.local.get_image(&image.id).await.unwrap();
    assert_eq!(now.status, ImageStatus::Uploading);
    let done = place.import(&verifying, &image.id, method(), "good").await;
    done.unwrap();
    let now = place.local.get_image(&image.id).await.unwrap();
    assert_eq!(now.status, ImageStatus::Active);
}

#[tokio::test]
async fn a_copy_in_a_store_that_corrupts_is_not_recorded() {
    let place = Deployment::open().await;
    let verifying = place.local.clone().verifying_stored();
    let image = place.queued().await;
    place.upload(&verifying, &image.id, "good").await.unwrap();
    let method = ImportMethod::CopyImage;
    let failed = place.import(&verifying, &image.id, method, "bad").await;
    place.check(&failed.unwrap_err(), &image.id);
    let now = place.local.get_image(&image.id).await.unwrap();
    assert_eq!(now.status, ImageStatus::Active);
    assert_eq!(now.stores, Some(vec!["good".to_string()]));
}
