//! The receiver of events that sends them as the configuration requires: to a message broker, or to the log.
//!
//! *Source:* `oslo_messaging/notify/{notifier,messaging,_impl_log}.py` and `serialize_msg` in
//! `oslo_messaging/_drivers/common.py`, for the form of messages; `_is_notification_enabled` in `glance/notifier.py`.

use std::sync::Once;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;

use super::events::{Event, Events, NoEvents};
use crate::amqp::{Message, Publisher};
use crate::config::{NotificationDriver, NotificationSettings, Settings};
use crate::model::{Caller, Timestamp, json};

/// Returns the receiver that the settings require.
pub(super) fn of_deployment(settings: &Settings) -> Box<dyn Events> {
    match settings.notifications.get() {
        Ok(settings) if settings.drivers.is_empty() => Box::new(NoEvents),
        Ok(settings) => Box::new(Notifier::new((**settings).clone())),
        Err(error) => Box::new(Refused {
            why: error.message().to_string(),
            warned: Once::new(),
        }),
    }
}

/// A receiver that sends events with the configured drivers.
pub struct Notifier {
    settings: NotificationSettings,
    /// None if no driver sends messages.
    publisher: Option<Publisher>,
}

impl Notifier {
    /// Creates a receiver. A connection is made at the first event.
    pub fn new(settings: NotificationSettings) -> Self {
        let publisher = settings.broker.clone().map(Publisher::new);
        Self {
            settings,
            publisher,
        }
    }

    /// Publishes a message to the queue of each topic.
    fn publish(&self, event: &Event<'_>, message: &Value, has_envelope: bool) {
        let Some(publisher) = &self.publisher else {
            return;
        };
        let priority = event.priority().name().to_ascii_lowercase();
        for topic in &self.settings.topics {
            let mut message = message.clone();
            message["_unique_id"] = json!(Uuid::new_v4().simple().to_string());
            if has_envelope {
                let text = json::python(&message);
                message = json!({"oslo.version": "2.0", "oslo.message": text});
            }
            publisher.send(Message {
                routing_key: format!("{topic}.{priority}"),
                body: json::python(&message).into_bytes(),
            });
        }
    }
}

#[async_trait]
impl Events for Notifier {
    fn emit(&self, _caller: &Caller, event: &Event<'_>) {
        let name = event.name();
        if is_disabled(name, &self.settings.disabled) {
            return;
        }
        let message = json!({
            "message_id": Uuid::new_v4().to_string(),
            "publisher_id": self.settings.publisher_id,
            "event_type": name,
            "priority": event.priority().name(),
            "payload": event.payload(),
            "timestamp": Timestamp::now().to_catalog(),
        });
        for driver in &self.settings.drivers {
            match driver {
                NotificationDriver::Messaging => self.publish(event, &message, false),
                NotificationDriver::MessagingV2 => self.publish(event, &message, true),
                NotificationDriver::Log => {
                    let target = format!("oslo.messaging.notification.{name}");
                    log::info!(target: &target, "{}", json::python(&masked(&message)));
                }
            }
        }
    }

    async fn flush(&self, limit: Duration) {
        if let Some(publisher) = &self.publisher {
            publisher.flush(limit).await;
        }
    }
}

/// Parts of names of properties whose values are not logged.
///
/// *Source:* `mask_dict_password` in `oslo_utils/strutils.py`; those that concern other services are left out.
const SECRETS: [&str; 10] = [
    "adminpass",
    "admin_pass",
    "encrypted_key",
    "new_pass",
    "passphrase",
    "password",
    "private_key",
    "secret",
    "sys_pswd",
    "token",
];

/// Returns a message with `***` in place of texts that may be passwords.
fn masked(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let lower = name.to_lowercase();
                let is_secret = SECRETS.iter().any(|part| lower.contains(part));
                let value = match value {
                    Value::String(_) if is_secret => json!("***"),
                    other => masked(other),
                };
                (name.clone(), value)
            });
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// Returns whether events of a type are disabled: by their type, or by a group that it begins with, such as `image` or
/// `image.member`.
fn is_disabled(name: &str, disabled: &[String]) -> bool {
    let in_group = |group: &String| {
        let rest = name.strip_prefix(group.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    disabled.iter().any(in_group)
}

/// A receiver for refused settings, which logs the reason at the first event.
struct Refused {
    why: String,
    warned: Once,
}

#[async_trait]
impl Events for Refused {
    fn emit(&self, _caller: &Caller, _event: &Event<'_>) {
        self.warned
            .call_once(|| log::warn!("notifications are not sent: {}", self.why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_logged() {
        let message =
            json!({"payload": {"os_Password": "x", "properties": {"my_token": "y", "size": 3}}});
        let expected = json!({"payload": {"os_Password": "***", "properties": {"my_token": "***", "size": 3}}});
        assert_eq!(masked(&message), expected);
    }

    #[test]
    fn a_type_or_a_group_disables_events() {
        for (disabled, name, expected) in [
            ("image.create", "image.create", true),
            ("image", "image.create", true),
            ("image", "image.member.create", true),
            ("image.member", "image.member.create", true),
            ("image.member", "image.create", false),
            ("image.cr", "image.create", false),
            ("task", "task.success", true),
            ("metadef_namespace", "metadef_namespace.delete_tags", true),
            ("create", "image.create", false),
            ("", "image.create", false),
        ] {
            let disabled = [disabled.to_string()];
            assert_eq!(
                is_disabled(name, &disabled),
                expected,
                "{disabled:?} {name}"
            );
        }
    }
}
