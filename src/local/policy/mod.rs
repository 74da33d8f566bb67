//! Access control: the one place where permission is decided.
//!
//! [`Policy`] holds the rules of a deployment: those of its policy files over the defaults of the reference
//! implementation. Where no file changes a rule, the defaults decide as code (`defaults.rs`) and no rule is evaluated.
//!
//! *Source:* `glance/policies/`, `glance/api/policy.py` and `glance/api/v2/policy.py` of the reference implementation.

mod action;
mod credentials;
mod defaults;
mod explanation;
mod files;
mod protections;
mod refusal;
pub mod rules;
pub(super) mod target;
#[cfg(test)]
mod tests;

pub use action::Action;
pub use defaults::{DEFAULT_RULES, DefaultRule};
pub use explanation::{EffectiveRule, Explanation};
pub use protections::Access;
pub use target::{ImageTarget, Target};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use super::visibility;
use crate::config::{PolicySettings, ProtectionFormat, Setting};
use crate::model::{Caller, Role};
use crate::{Error, Result};
use credentials::attributes_of;
use files::Stamp;
use protections::Protections;
use refusal::refusal;
use rules::{Facts, Origin, RuleSet};
use target::TargetAttributes;

/// The minimum time between two checks of the files, in milliseconds.
const PATIENCE_MS: u64 = 1000;

/// The rules of a deployment. Files that change are read again.
pub struct Policy {
    settings: Setting<PolicySettings>,
    loaded: RwLock<Arc<Loaded>>,
    opened: Instant,
    /// Milliseconds from `opened` to the last check of the files.
    checked: AtomicU64,
}

/// The content of the files.
struct Loaded {
    files: Vec<Stamp>,
    protection_file: Option<Stamp>,
    /// None where the defaults decide.
    rules: Setting<Option<RuleSet>>,
    protections: Setting<Option<Protections>>,
}

impl Policy {
    /// Reads the files of a deployment. Errors are those of the first check; rules that do not work are logged.
    pub fn open(settings: Setting<PolicySettings>) -> Self {
        let loaded = match settings.get() {
            Ok(settings) => Loaded::read(settings),
            Err(error) => Loaded {
                files: Vec::new(),
                protection_file: None,
                rules: Err(error).into(),
                protections: None.into(),
            },
        };
        Self {
            settings,
            loaded: RwLock::new(Arc::new(loaded)),
            opened: Instant::now(),
            checked: AtomicU64::new(0),
        }
    }

    /// Checks that the caller may perform an action.
    ///
    /// # Errors
    /// `NotFound` if the action is one on an image or on metadata definitions that the caller may not get; else `Forbidden` with
    /// the reason; `Failed` or `Io` if the rules cannot be read.
    pub fn check<'a>(
        &self,
        caller: &Caller,
        action: Action,
        target: impl Into<Target<'a>>,
    ) -> Result<()> {
        let target = target.into();
        let loaded = self.loaded();
        let Some(rules) = loaded.rules.get()? else {
            if defaults::may(caller, action, target) {
                return Ok(());
            }
            let may = |get, target| defaults::may(caller, get, target);
            return Err(hidden(action, target, may)
                .unwrap_or_else(|| refusal(caller, action, target, &Origin::Default)));
        };
        let settings = self.settings.get()?;
        if !rules_allow(rules, settings, caller, action, target) {
            let may = |get, target| rules_allow(rules, settings, caller, get, target);
            if let Some(error) = hidden(action, target, may) {
                return Err(error);
            }
            let rule = action.rule().and_then(|name| rules.get(name));
            let origin = rule.map_or(&Origin::Default, |rule| &rule.origin);
            return Err(refusal(caller, action, target, origin));
        }
        if !settings.enforce_new_defaults && needs_ownership(caller, action, target) {
            return Err(Error::forbidden("You do not own this image"));
        }
        Ok(())
    }

    /// Returns whether the caller may perform an action.
    ///
    /// # Errors
    /// `Failed` or `Io` if the rules cannot be read.
    pub fn may<'a>(
        &self,
        caller: &Caller,
        action: Action,
        target: impl Into<Target<'a>>,
    ) -> Result<bool> {
        let target = target.into();
        let loaded = self.loaded();
        let Some(rules) = loaded.rules.get()? else {
            return Ok(defaults::may(caller, action, target));
        };
        let settings = self.settings.get()?;
        Ok(rules_allow(rules, settings, caller, action, target))
    }

    /// Returns whether the rules of single images decide which are in a list, in addition to their visibility.
    ///
    /// # Errors
    /// Same as [`Policy::may`].
    pub fn has_rules(&self) -> Result<bool> {
        Ok(self.loaded().rules.get()?.is_some())
    }

    /// Returns the caller, as an administrator exactly if the rule `context_is_admin` is true.
    #[must_use]
    pub fn admit(&self, caller: Caller) -> Caller {
        let loaded = self.loaded();
        let Ok(Some(rules)) = loaded.rules.get() else {
            return caller;
        };
        let is_admin = holds(rules, "context_is_admin", &caller, Target::OwnProject);
        let role = match caller.role {
            _ if is_admin => Role::Admin,
            Role::Admin => Role::Member,
            other => other,
        };
        Caller { role, ..caller }
    }

    /// Returns whether the caller may use a property of an image.
    ///
    /// # Errors
    /// `Failed` or `Io` if the protections or the rules cannot be read.
    pub fn may_access(&self, caller: &Caller, access: Access, property: &str) -> Result<bool> {
        let loaded = self.loaded();
        let Some(protections) = loaded.protections.get()? else {
            return Ok(true);
        };
        let rules = loaded.rules.get()?.as_ref();
        Ok(protections.allow(caller, access, property, |name| {
            rules.is_some_and(|rules| holds(rules, name, caller, Target::Deployment))
        }))
    }

    /// Checks that the caller may use a property of an image.
    ///
    /// # Errors
    /// `Forbidden`; the errors of [`Policy::may_access`].
    pub fn check_access(&self, caller: &Caller, access: Access, property: &str) -> Result<()> {
        if self.may_access(caller, access, property)? {
            return Ok(());
        }
        // *Source:* `ReservedProperty` in `glance/common/exception.py`.
        let refused = format!("Attribute '{property}' is reserved.");
        let hint = format!(
            "The property protections of the deployment do not let {caller} {} it.",
            access.name()
        );
        Err(Error::forbidden(refused).hint(hint))
    }

    /// Returns whether properties are protected.
    ///
    /// # Errors
    /// `Failed` or `Io` if the protections cannot be read.
    pub fn protects_properties(&self) -> Result<bool> {
        Ok(self.loaded().protections.get()?.is_some())
    }

    /// Returns the content of the files, which are read again if they have changed.
    fn loaded(&self) -> Arc<Loaded> {
        let current = || {
            let loaded = self.loaded.read();
            Arc::clone(&loaded.unwrap_or_else(PoisonError::into_inner))
        };
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let checked = self.checked.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(checked) >= PATIENCE_MS;
        let is_ours = is_due
            && self
                .checked
                .compare_exchange(checked, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if let (true, Ok(settings)) = (is_ours, self.settings.get()) {
            self.refresh(settings, &current());
        }
        current()
    }

    /// Reads the files again if they have changed. Rules that were read before stay in force if the new ones cannot
    /// be read, which is logged.
    fn refresh(&self, settings: &PolicySettings, before: &Loaded) {
        let is_same = files::find(settings) == before.files
            && protection_file(settings) == before.protection_file;
        if is_same {
            return;
        }
        let mut loaded = Loaded::read(settings);
        let failures = [loaded.rules.get().err(), loaded.protections.get().err()];
        for error in failures.into_iter().flatten() {
            log::error!(
                "{}; the rules that were read before stay in force",
                error.message()
            );
        }
        if loaded.rules.get().is_err() && before.rules.get().is_ok() {
            loaded.rules = before.rules.clone();
        }
        if loaded.protections.get().is_err() && before.protections.get().is_ok() {
            loaded.protections = before.protections.clone();
        }
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
    }
}

/// Returns the state of the file of property protections; None if there is none.
fn protection_file(settings: &PolicySettings) -> Option<Stamp> {
    Stamp::of_first(&settings.protections.as_ref()?.files)
}

impl Loaded {
    /// Reads the files, and logs which rules do not work.
    fn read(settings: &PolicySettings) -> Self {
        let found = files::find(settings);
        let protection_file = protection_file(settings);
        let protections = settings.protections.as_ref().map(|protections| {
            let Some(file) = &protection_file else {
                return Err(Error::failed(format!(
                    "property_protection_file {} does not exist",
                    protections.name
                )));
            };
            let (read, remarks) = Protections::read(file.path(), protections.format)?;
            for remark in remarks {
                log::warn!("{remark}");
            }
            Ok(read)
        });
        let by_policies = |settings: &PolicySettings| {
            let protections = settings.protections.as_ref();
            protections.is_some_and(|one| one.format == ProtectionFormat::Policies)
        };
        let is_default = found.is_empty()
            && settings.enforce_new_defaults
            && settings.enforce_scope
            && !by_policies(settings);
        let load = || {
            let (rules, faults) = files::load(settings, &found)?;
            for fault in faults {
                log::warn!("{fault}");
            }
            Ok(Some(rules))
        };
        let rules: Result<Option<RuleSet>> = if is_default { Ok(None) } else { load() };
        Self {
            files: found,
            protection_file,
            rules: rules.into(),
            protections: protections.transpose().into(),
        }
    }
}

/// Returns the error for a refused action on an image or a namespace that the caller may not get: it is hidden from the caller.
/// None for other actions, and for those that are refused regardless of the image. A caller that may not get a namespace of its
/// own project does not learn that there are any.
///
/// *Source:* `ImageAPIPolicy` and `MetadefAPIPolicy` in `glance/api/v2/policy.py`.
fn hidden<'a>(
    action: Action,
    target: Target<'a>,
    may: impl FnOnce(Action, Target<'a>) -> bool,
) -> Option<Error> {
    match target {
        Target::Image(image) | Target::Member(image, _) => {
            let is_regardless = matches!(action, Action::PublicizeImage | Action::CommunitizeImage)
                || action.rule().is_none();
            (!is_regardless && !may(Action::GetImage, Target::Image(image)))
                .then(|| visibility::not_found(&image.image.id))
        }
        Target::Namespace(_) | Target::OwnProject if action.is_metadef() => {
            (!may(Action::GetMetadefNamespace, target)).then(|| match target {
                Target::Namespace(namespace) => visibility::no_namespace(&namespace.name),
                _ => Error::not_found("The resource could not be found."),
            })
        }
        _ => None,
    }
}

/// Returns whether the rules allow an action.
fn rules_allow(
    rules: &RuleSet,
    settings: &PolicySettings,
    caller: &Caller,
    action: Action,
    target: Target<'_>,
) -> bool {
    let Some(rule) = action.rule() else {
        return caller.is_admin();
    };
    // No rule shows what the reference implementation does not read from its database.
    let is_found = match (action, target) {
        (Action::GetImage, Target::Image(image)) => visibility::may_see(caller, image),
        (Action::GetMetadefNamespace, Target::Namespace(namespace)) => {
            visibility::may_see_namespace(caller, namespace)
        }
        (Action::GetMember, Target::Member(image, member)) => {
            caller.is_admin() || image.is_owned_by(caller) || caller.project == member
        }
        _ => true,
    };
    is_found && fits_scope(settings, caller, rule) && holds(rules, rule, caller, target)
}

/// Returns whether a rule may be true for the scope of the caller.
fn fits_scope(settings: &PolicySettings, caller: &Caller, rule: &str) -> bool {
    let is_for_projects = || {
        let known = DEFAULT_RULES.iter().find(|known| known.name == rule);
        known.is_some_and(DefaultRule::is_for_projects)
    };
    !(caller.has_system_scope && settings.enforce_scope && is_for_projects())
}

/// Returns whether a rule is true.
fn holds(rules: &RuleSet, rule: &str, caller: &Caller, target: Target<'_>) -> bool {
    let attributes = attributes_of(caller);
    let facts = Facts {
        caller: &attributes,
        target: &TargetAttributes { caller, target },
    };
    let rule = rules.get(rule);
    rule.is_some_and(|rule| rule.check.holds(rules, facts))
}

/// Returns whether an action that the rules of earlier releases allow is for administrators and the owner alone.
///
/// *Source:* `check_is_image_mutable` and `check_admin_or_same_owner` in `glance/api/v2/policy.py`.
fn needs_ownership(caller: &Caller, action: Action, target: Target<'_>) -> bool {
    let is_own = match (action, target) {
        (Action::AddImage, Target::NewImage(image)) => {
            image.owner.as_ref() == Some(&caller.project)
        }
        (
            Action::DeleteImage
            | Action::UploadImage
            | Action::ModifyImage
            | Action::StageImage
            | Action::ImportImage
            | Action::Deactivate
            | Action::Reactivate
            | Action::DeleteImageLocation
            | Action::AddMember
            | Action::DeleteMember,
            Target::Image(image),
        ) => image.is_owned_by(caller),
        (Action::ModifyMember, Target::Image(image)) => !image.is_owned_by(caller),
        _ => true,
    };
    !is_own && !caller.is_admin()
}
