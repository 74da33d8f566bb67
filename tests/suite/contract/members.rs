//! Projects that images are shared with.

use futures_util::TryStreamExt;
use glance_tools::ErrorKind::{Conflict, Forbidden, Invalid, NotFound, TooLarge};
use glance_tools::model::{Change, Image, ImagePatch, ImageQuery, MemberStatus};
use glance_tools::service::ImageService;
use serde_json::json;

use super::{Deployment, contract, kind, new_image};

contract! {
    an_offer_is_made_answered_and_taken_back
    lists_show_what_was_accepted
    members_are_known_to_the_owner_and_to_themselves
    only_the_owner_shares
    only_the_member_answers
    only_shared_images_have_members
    a_project_is_a_member_once
    an_answer_may_be_given_twice
    the_quota_of_members_is_enforced
    members_of_deleted_images_are_gone;

    local:
    // The real one takes what its database takes.
    ids_of_projects_fit_the_catalogue
}

/// A shared image of the service's caller, with these members.
async fn shared(service: &dyn ImageService, members: &[&str]) -> String {
    let attributes = json!({"name": "offered", "visibility": "shared"});
    let image = service.create_image(new_image(attributes)).await.unwrap();
    for member in members {
        service.add_member(&image.id, member).await.unwrap();
    }
    image.id
}

async fn an_offer_is_made_answered_and_taken_back(on: impl Deployment) {
    let (demo, other) = (
        on.service("demo:member:u").await,
        on.service("other:member:u").await,
    );
    let project = on.project("other").await;
    let id = shared(demo.as_ref(), &[]).await;
    assert_eq!(demo.list_members(&id).await.unwrap(), []);
    assert_eq!(kind(other.get_image(&id).await), NotFound);

    let member = demo.add_member(&id, &project).await.unwrap();
    assert_eq!((&member.image_id, &member.member_id), (&id, &project));
    assert_eq!(member.status, MemberStatus::Pending);
    assert!(member.updated_at >= member.created_at);
    for service in [&demo, &other] {
        assert_eq!(service.get_member(&id, &project).await.unwrap(), member);
        let members = service.list_members(&id).await.unwrap();
        assert_eq!(members, std::slice::from_ref(&member));
        assert!(service.get_image(&id).await.is_ok(), "whatever it answers");
    }

    for status in [
        MemberStatus::Accepted,
        MemberStatus::Rejected,
        MemberStatus::Pending,
    ] {
        let answered = other.set_member_status(&id, &project, status).await;
        let answered = answered.unwrap();
        assert_eq!(answered.status, status);
        assert_eq!(answered.created_at, member.created_at);
        assert!(answered.updated_at >= member.updated_at);
        assert_eq!(demo.get_member(&id, &project).await.unwrap(), answered);
    }

    demo.remove_member(&id, &project).await.unwrap();
    assert_eq!(demo.list_members(&id).await.unwrap(), []);
    assert_eq!(kind(demo.get_member(&id, &project).await), NotFound);
    assert_eq!(kind(other.get_image(&id).await), NotFound);
}

async fn lists_show_what_was_accepted(on: impl Deployment) {
    let (demo, other) = (
        on.service("demo:member:u").await,
        on.service("other:member:u").await,
    );
    let project = on.project("other").await;
    let id = shared(demo.as_ref(), &[&project]).await;
    let seen = async |status: Option<MemberStatus>| {
        let query = ImageQuery {
            member_status: status,
            ..ImageQuery::default()
        };
        let images: Vec<Image> = other.list_images(query).try_concat().await.unwrap();
        images.len()
    };
    for status in MemberStatus::ALL {
        let answered = other.set_member_status(&id, &project, status).await;
        assert_eq!(answered.unwrap().status, status);
        for asked in MemberStatus::ALL {
            let shown = usize::from(asked == status);
            assert_eq!(seen(Some(asked)).await, shown, "{status:?}: {asked:?}");
        }
        assert_eq!(seen(None).await, 1, "{status:?}");
    }
    demo.remove_member(&id, &project).await.unwrap();
    assert_eq!(seen(None).await, 0);
}

async fn members_are_known_to_the_owner_and_to_themselves(on: impl Deployment) {
    let demo = on.service("demo:member:u").await;
    let (other, third) = (on.project("other").await, on.project("third").await);
    let id = shared(demo.as_ref(), &[&third, &other, "nobody"]).await;
    let known = async |caller: &str| {
        let service = on.service(caller).await;
        let members = service.list_members(&id).await.unwrap();
        let ids = members.into_iter().map(|member| member.member_id);
        ids.collect::<Vec<_>>()
    };
    for caller in ["demo:member:u", "demo:reader:u", "admin:admin:u"] {
        assert_eq!(known(caller).await, [&third, &other, "nobody"], "{caller}");
    }
    assert_eq!(known("other:member:u").await, [other.as_str()]);
    assert_eq!(known("other:reader:u").await, [other.as_str()]);
    let service = on.service("other:reader:u").await;
    assert!(service.get_member(&id, &other).await.is_ok());
    assert_eq!(kind(service.get_member(&id, &third).await), NotFound);
    let stranger = on.service("fourth:member:u").await;
    assert_eq!(kind(stranger.list_members(&id).await), NotFound);
    assert_eq!(kind(stranger.get_member(&id, &third).await), NotFound);
}

async fn only_the_owner_shares(on: impl Deployment) {
    let demo = on.service("demo:member:u").await;
    let (other, third) = (on.project("other").await, on.project("third").await);
    let id = shared(demo.as_ref(), &[&other, &third]).await;
    for (caller, why) in [
        ("other:member:u", Forbidden),
        ("demo:reader:u", Forbidden),
        ("fourth:member:u", NotFound),
    ] {
        let service = on.service(caller).await;
        assert_eq!(kind(service.add_member(&id, "new").await), why, "{caller}");
        let removed = service.remove_member(&id, &other).await;
        assert_eq!(kind(removed), why, "{caller}, also itself");
    }
    let member = on.service("other:member:u").await;
    assert_eq!(
        kind(member.remove_member(&id, &third).await),
        NotFound,
        "it does not know of the other one"
    );
    let admin = on.service("admin:admin:u").await;
    admin.add_member(&id, "new").await.unwrap();
    admin.remove_member(&id, &other).await.unwrap();
    assert_eq!(demo.list_members(&id).await.unwrap().len(), 2);
}

async fn only_the_member_answers(on: impl Deployment) {
    let demo = on.service("demo:member:u").await;
    let (own, other) = (on.project("demo").await, on.project("other").await);
    let third = on.project("third").await;
    let id = shared(demo.as_ref(), &[&other, &third, &own]).await;
    let accepted = MemberStatus::Accepted;
    for (caller, member, why) in [
        ("demo:member:u", &other, Forbidden),
        ("demo:member:u", &own, Forbidden),
        ("other:reader:u", &other, Forbidden),
        ("other:member:u", &third, NotFound),
        ("fourth:member:u", &other, NotFound),
    ] {
        let service = on.service(caller).await;
        let answered = service.set_member_status(&id, member, accepted).await;
        assert_eq!(kind(answered), why, "{caller}");
        // A client cannot find out without a change.
        if let Err(error) = service.check_may_decide(&id, member).await {
            assert_eq!(error.kind(), why, "{caller}");
        }
    }
    let admin = on.service("admin:admin:u").await;
    let answered = admin.set_member_status(&id, &other, accepted).await;
    assert_eq!(answered.unwrap().status, accepted);
    let nobody = admin.set_member_status(&id, "nobody", accepted).await;
    assert_eq!(kind(nobody), NotFound);
}

async fn only_shared_images_have_members(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let other = on.project("other").await;
    let id = shared(admin.as_ref(), &[&other]).await;
    for visibility in ["private", "community", "public"] {
        let change = ImagePatch::from(Change::replace("visibility", visibility));
        admin.update_image(&id, &change).await.unwrap();
        assert_eq!(kind(admin.list_members(&id).await), Forbidden);
        assert_eq!(kind(admin.get_member(&id, &other).await), NotFound);
        assert_eq!(kind(admin.add_member(&id, "new").await), Forbidden);
        let answered = admin.set_member_status(&id, &other, MemberStatus::Accepted);
        assert_eq!(kind(answered.await), Forbidden);
        assert_eq!(kind(admin.remove_member(&id, &other).await), Forbidden);
    }
    let change = ImagePatch::from(Change::replace("visibility", "shared"));
    admin.update_image(&id, &change).await.unwrap();
    let members = admin.list_members(&id).await.unwrap();
    assert_eq!(members.len(), 1, "it had kept them");
}

async fn a_project_is_a_member_once(on: impl Deployment) {
    let (demo, member) = (
        on.service("demo:member:u").await,
        on.service("other:member:u").await,
    );
    let other = on.project("other").await;
    let id = shared(demo.as_ref(), &[&other]).await;
    let first = demo.get_member(&id, &other).await.unwrap();
    assert_eq!(kind(demo.add_member(&id, &other).await), Conflict);
    assert_eq!(kind(demo.add_member(&id, "").await), Invalid);
    let accepted = member.set_member_status(&id, &other, MemberStatus::Accepted);
    accepted.await.unwrap();
    for _ in 0..2 {
        demo.remove_member(&id, &other).await.unwrap();
        assert_eq!(kind(demo.remove_member(&id, &other).await), NotFound);
        let again = demo.add_member(&id, &other).await.unwrap();
        assert_eq!(again.status, MemberStatus::Pending, "it is asked anew");
        assert_eq!(again.created_at, first.created_at);
        assert_eq!(demo.list_members(&id).await.unwrap(), [again]);
    }
}

async fn an_answer_may_be_given_twice(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let other = on.project("other").await;
    let id = shared(admin.as_ref(), &[&other]).await;
    let answer = async || {
        let answered = admin.set_member_status(&id, &other, MemberStatus::Accepted);
        answered.await.unwrap()
    };
    assert_eq!(answer().await, answer().await);
}

async fn the_quota_of_members_is_enforced(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let members: Vec<String> = (0..128).map(|number| format!("p{number}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let id = shared(service.as_ref(), &members).await;
    for member in ["new", "p0"] {
        assert_eq!(kind(service.add_member(&id, member).await), TooLarge);
    }
    service.remove_member(&id, "p0").await.unwrap();
    service.add_member(&id, "new").await.unwrap();
    assert_eq!(service.list_members(&id).await.unwrap().len(), 128);
}

async fn members_of_deleted_images_are_gone(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let other = on.project("other").await;
    let id = shared(service.as_ref(), &[&other]).await;
    service.delete_image(&id).await.unwrap();
    assert_eq!(kind(service.list_members(&id).await), NotFound);
    assert_eq!(kind(service.get_member(&id, &other).await), NotFound);
    assert_eq!(kind(service.add_member(&id, "new").await), NotFound);
    assert_eq!(kind(service.remove_member(&id, &other).await), NotFound);
}

async fn ids_of_projects_fit_the_catalogue(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let id = shared(service.as_ref(), &["é".repeat(255).as_str()]).await;
    let long = service.add_member(&id, &"é".repeat(256)).await;
    assert_eq!(kind(long), Invalid);
}
