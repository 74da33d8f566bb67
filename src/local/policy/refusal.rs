//! The errors for actions that a caller may not perform.

use super::action::Action;
use super::rules::Origin;
use super::target::Target;
use crate::Error;
use crate::model::Caller;

/// Returns the error for an action that the rule at `origin` refuses the caller.
pub(super) fn refusal(
    caller: &Caller,
    action: Action,
    target: Target<'_>,
    origin: &Origin,
) -> Error {
    if let Origin::File(path, line) = origin {
        let rule = action.rule().unwrap_or_default();
        return unauthorized(action).hint(format!(
            "The rule {rule} is in line {line} of {}.",
            path.display()
        ));
    }
    if caller.has_system_scope {
        return unauthorized(action).hint("It needs a token of a project, not of the system.");
    }
    let id = match target {
        Target::Image(target) | Target::Member(target, _) => &target.image.id,
        _ => "",
    };
    let message = match (action, target) {
        (Action::AddImage, Target::NewImage(image))
            if image.owner.as_ref() != Some(&caller.project) =>
        {
            let owner = image.owner.as_deref().unwrap_or_default();
            format!("You are not permitted to create images owned by '{owner}'")
        }
        (Action::AddImage, _) => {
            format!("{caller} may not create images: the role reader is read-only")
        }
        (Action::PublicizeImage, _) => {
            return Error::forbidden("only an administrator may make an image public")
                .hint("Ask an administrator, or share the image with the projects that need it.");
        }
        (Action::ChangeOwner, _) => "Owner can't be updated by non admin.".to_string(),
        (Action::CopyImage, _) => {
            format!("you may not copy image {id} to other stores: only administrators may")
        }
        (Action::DownloadDeactivated, _) => {
            "The requested image has been deactivated. Image data download is forbidden."
                .to_string()
        }
        (Action::DownloadImage, _) => {
            format!("you may not download image {id}: {caller} only has the role reader")
        }
        (Action::DeleteImageLocation, _) => {
            format!("you may not remove locations from image {id}: only administrators may")
        }
        (Action::ModifyMember, Target::Image(image)) => {
            let why = if image.is_owned_by(caller) {
                "only the projects it is shared with may".to_string()
            } else {
                format!("{caller} only has the role reader")
            };
            format!("you may not accept or reject image {id}: {why}")
        }
        (Action::TasksApi, _) => {
            format!("only administrators may use tasks; {caller} is not one")
        }
        (Action::Scrub, _) => format!("only administrators may scrub; {caller} is not one"),
        (Action::StoresInfoDetail, _) => {
            "only administrators may see the details of stores".to_string()
        }
        (action, Target::Image(image)) => {
            let why = if image.is_owned_by(caller) {
                format!("{caller} only has the role reader")
            } else {
                format!("it belongs to another project than {}", caller.project)
            };
            format!("you may not {} image {id}: {why}", verb(action))
        }
        (action, _) if action.is_metadef() => {
            return unauthorized(action).hint(format!(
                "Only administrators may change metadata definitions. You are {caller}."
            ));
        }
        (action, _) => return unauthorized(action),
    };
    Error::forbidden(message)
}

/// Returns the error of the reference implementation.
///
/// *Source:* `Forbidden` in `glance/common/exception.py`.
fn unauthorized(action: Action) -> Error {
    let rule = action.rule().unwrap_or_else(|| action.name());
    Error::forbidden(format!("You are not authorized to complete {rule} action."))
}

/// Returns the verb of an action for "you may not … image X".
const fn verb(action: Action) -> &'static str {
    match action {
        Action::DeleteImage => "delete",
        Action::UploadImage => "upload data to",
        Action::StageImage => "stage data for",
        Action::ImportImage => "import data to",
        Action::Deactivate => "deactivate",
        Action::Reactivate => "reactivate",
        Action::SetImageLocation => "change the locations of",
        Action::AddImageLocation => "register data of",
        Action::AddMember => "share",
        Action::DeleteMember => "stop sharing",
        _ => "change",
    }
}
