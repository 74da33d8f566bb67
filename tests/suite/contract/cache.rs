//! The image cache of the host that answers.

use glance_tools::ErrorKind::{Forbidden, Invalid, NotFound};
use glance_tools::model::{CacheState, CacheTarget, Image};
use glance_tools::service::{ImageService, Reading, Upload};

use super::data::{pipe, read};
use super::{Deployment, contract, kind, raw_image};

contract! {
    a_fresh_cache_is_empty
    what_is_queued_comes_into_the_cache
    what_is_downloaded_is_cached_and_counted
    only_images_with_data_are_queued
    an_image_is_dropped_from_the_cache
    cache_and_queue_are_cleared_apart
    caches_are_for_administrators
    hosts_that_have_an_image_are_known
    a_deleted_image_leaves_the_cache
    a_cache_below_its_limit_is_not_pruned
}

/// An image of this content.
async fn active(service: &dyn ImageService, content: &[u8]) -> Image {
    let image = raw_image(service, "cached").await;
    let upload = Upload::new(pipe(content));
    service.upload_image(&image.id, upload).await.unwrap()
}

async fn download(service: &dyn ImageService, id: &str) -> Vec<u8> {
    read(service.open_image(id, Reading::default()).await.unwrap()).await
}

/// The state of the cache once it is as `wanted`: a server goes on after it has answered.
async fn once(service: &dyn ImageService, wanted: impl Fn(&CacheState) -> bool) -> CacheState {
    let began = std::time::Instant::now();
    loop {
        let state = service.cache_state().await.unwrap();
        if wanted(&state) {
            return state;
        }
        assert!(began.elapsed().as_secs() < 30, "{state:?}");
    }
}

fn has(state: &CacheState, id: &str) -> bool {
    state.cached.iter().any(|cached| cached.image_id == id)
}

async fn a_fresh_cache_is_empty(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    assert_eq!(admin.cache_state().await.unwrap(), CacheState::default());
    for target in CacheTarget::ALL {
        admin.clear_cache(target).await.unwrap();
    }
    admin.clean_cache(false).await.unwrap();
    assert_eq!(admin.prune_cache(false).await.unwrap().files, 0);
}

async fn what_is_queued_comes_into_the_cache(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let id = active(admin.as_ref(), b"to be fetched").await.id;
    admin.cache_image(&id).await.unwrap().await.unwrap();
    let state = once(admin.as_ref(), |state| has(state, &id)).await;
    let [cached] = &state.cached[..] else {
        panic!("{state:?}")
    };
    assert_eq!((cached.size, cached.hits), (13, 0));
    assert!(state.queued.is_empty());
    // Once more changes nothing.
    admin.cache_image(&id).await.unwrap().await.unwrap();
    assert_eq!(admin.cache_state().await.unwrap(), state);
}

async fn what_is_downloaded_is_cached_and_counted(on: impl Deployment) {
    on.cache_downloads();
    let admin = on.service("admin:admin:u").await;
    // More than a block, and no number of blocks.
    let content: Vec<u8> = (0..=250_u8).cycle().take(600_000).collect();
    let id = active(admin.as_ref(), &content).await.id;
    assert!(download(admin.as_ref(), &id).await == content);
    let first = once(admin.as_ref(), |state| has(state, &id)).await;
    assert_eq!((first.cached[0].size, first.cached[0].hits), (600_000, 0));
    for hits in 1..=2 {
        assert!(download(admin.as_ref(), &id).await == content);
        let state = once(admin.as_ref(), |state| state.cached[0].hits == hits).await;
        let (last, before) = (state.cached[0].last_accessed, first.cached[0].last_accessed);
        assert!(last > before || on.is_mysql() && last == before);
        assert_eq!(state.cached[0].last_modified, first.cached[0].last_modified);
    }
}

async fn only_images_with_data_are_queued(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let empty = raw_image(admin.as_ref(), "empty").await;
    assert_eq!(kind(admin.cache_image(&empty.id).await.map(drop)), Invalid);
    let nowhere = "88888888-8888-8888-8888-888888888888";
    assert_eq!(kind(admin.cache_image(nowhere).await.map(drop)), NotFound);
    assert_eq!(admin.cache_state().await.unwrap(), CacheState::default());
}

async fn an_image_is_dropped_from_the_cache(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let mut ids = Vec::new();
    for content in [b"one", b"two"] {
        let id = active(admin.as_ref(), content).await.id;
        admin.cache_image(&id).await.unwrap().await.unwrap();
        once(admin.as_ref(), |state| has(state, &id)).await;
        ids.push(id);
    }
    // Dropping what is not there is no error.
    for _ in 0..2 {
        admin.uncache_image(&ids[0]).await.unwrap();
        let state = admin.cache_state().await.unwrap();
        assert!(!has(&state, &ids[0]) && has(&state, &ids[1]), "{state:?}");
    }
    let nowhere = "88888888-8888-8888-8888-888888888888";
    assert_eq!(kind(admin.uncache_image(nowhere).await), NotFound);
}

async fn cache_and_queue_are_cleared_apart(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let id = active(admin.as_ref(), b"kept").await.id;
    admin.cache_image(&id).await.unwrap().await.unwrap();
    once(admin.as_ref(), |state| has(state, &id)).await;
    admin.clear_cache(CacheTarget::Queue).await.unwrap();
    assert!(has(&admin.cache_state().await.unwrap(), &id));
    admin.clear_cache(CacheTarget::Cache).await.unwrap();
    assert_eq!(admin.cache_state().await.unwrap(), CacheState::default());
    admin.cache_image(&id).await.unwrap().await.unwrap();
    once(admin.as_ref(), |state| has(state, &id)).await;
    admin.clear_cache(CacheTarget::Both).await.unwrap();
    assert_eq!(admin.cache_state().await.unwrap(), CacheState::default());
}

async fn caches_are_for_administrators(on: impl Deployment) {
    let (admin, demo) = (
        on.service("admin:admin:u").await,
        on.service("demo:member:u").await,
    );
    let id = active(demo.as_ref(), b"mine").await.id;
    assert_eq!(kind(demo.cache_state().await), Forbidden);
    assert_eq!(kind(demo.cache_image(&id).await.map(drop)), Forbidden);
    assert_eq!(kind(demo.uncache_image(&id).await), Forbidden);
    assert_eq!(kind(demo.clear_cache(CacheTarget::Both).await), Forbidden);
    assert_eq!(kind(demo.clean_cache(false).await), Forbidden);
    assert_eq!(kind(demo.prune_cache(false).await), Forbidden);
    assert_eq!(kind(demo.cached_nodes(&id).await), Forbidden);
    // What they may not see is not there for them.
    let hidden = active(admin.as_ref(), b"not theirs").await.id;
    assert_eq!(kind(demo.cache_image(&hidden).await.map(drop)), NotFound);
    assert_eq!(kind(demo.uncache_image(&hidden).await), NotFound);
}

async fn hosts_that_have_an_image_are_known(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let id = active(admin.as_ref(), b"here").await.id;
    assert!(admin.cached_nodes(&id).await.unwrap().is_empty());
    admin.cache_image(&id).await.unwrap().await.unwrap();
    once(admin.as_ref(), |state| has(state, &id)).await;
    let nodes = admin.cached_nodes(&id).await.unwrap();
    assert!(
        nodes.len() == 1 && nodes[0].starts_with("http://"),
        "{nodes:?}"
    );
    let nowhere = "88888888-8888-8888-8888-888888888888";
    assert_eq!(kind(admin.cached_nodes(nowhere).await), NotFound);
}

async fn a_deleted_image_leaves_the_cache(on: impl Deployment) {
    on.cache_downloads();
    let admin = on.service("admin:admin:u").await;
    let id = active(admin.as_ref(), b"doomed").await.id;
    download(admin.as_ref(), &id).await;
    once(admin.as_ref(), |state| has(state, &id)).await;
    admin.delete_image(&id).await.unwrap();
    once(admin.as_ref(), |state| !has(state, &id)).await;
}

async fn a_cache_below_its_limit_is_not_pruned(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let id = active(admin.as_ref(), b"small").await.id;
    admin.cache_image(&id).await.unwrap().await.unwrap();
    once(admin.as_ref(), |state| has(state, &id)).await;
    assert_eq!(admin.prune_cache(false).await.unwrap().files, 0);
    admin.clean_cache(false).await.unwrap();
    assert!(has(&admin.cache_state().await.unwrap(), &id));
}
