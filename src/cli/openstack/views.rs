//! Images as the second grammar prints them.

use serde_json::{Map, Value, json};

use crate::model::Image;
use crate::model::schema::attribute_named;
use crate::output::{Cell, Record};

/// Attributes that the second grammar prints as fields of their own; the others are in `properties`.
const OWN_ROWS: [&str; 16] = [
    "status",
    "name",
    "container_format",
    "created_at",
    "size",
    "disk_format",
    "updated_at",
    "visibility",
    "min_disk",
    "protected",
    "id",
    "file",
    "checksum",
    "owner",
    "virtual_size",
    "min_ram",
];

/// Properties known to openstacksdk, in its order, with the types of those that are not strings.
///
/// *Source:* `openstack/image/v2/image.py` of openstacksdk.
const KNOWN: [(&str, Type); 37] = [
    ("locations", Type::Any),
    ("direct_url", Type::Any),
    ("architecture", Type::Any),
    ("hypervisor_type", Type::Any),
    ("instance_type_rxtx_factor", Type::Float),
    ("instance_uuid", Type::Any),
    ("img_config_drive", Type::Any),
    ("kernel_id", Type::Any),
    ("os_distro", Type::Any),
    ("os_version", Type::Any),
    ("os_secure_boot", Type::Any),
    ("os_shutdown_timeout", Type::Integer),
    ("ramdisk_id", Type::Any),
    ("vm_mode", Type::Any),
    ("hw_cpu_sockets", Type::Integer),
    ("hw_cpu_cores", Type::Integer),
    ("hw_cpu_threads", Type::Integer),
    ("hw_disk_bus", Type::Any),
    ("hw_cpu_policy", Type::Any),
    ("hw_cpu_thread_policy", Type::Any),
    ("hw_rng_model", Type::Any),
    ("hw_machine_type", Type::Any),
    ("hw_scsi_model", Type::Any),
    ("hw_serial_port_count", Type::Integer),
    ("hw_video_model", Type::Any),
    ("hw_video_ram", Type::Integer),
    ("hw_watchdog_action", Type::Any),
    ("os_command_line", Type::Any),
    ("hw_vif_model", Type::Any),
    ("hw_vif_multiqueue_enabled", Type::Boolean),
    ("hw_boot_menu", Type::Boolean),
    ("vmware_adaptertype", Type::Any),
    ("vmware_ostype", Type::Any),
    ("auto_disk_config", Type::Any),
    ("os_type", Type::Any),
    ("os_admin_user", Type::Any),
    ("os_require_quiesce", Type::Boolean),
];

#[derive(Clone, Copy)]
enum Type {
    Any,
    Integer,
    Float,
    Boolean,
}

impl Type {
    /// Converts a value as openstacksdk does; an invalid value is kept.
    fn read(self, value: Value) -> Value {
        let Some(text) = value.as_str() else {
            return value;
        };
        match self {
            Self::Any => value,
            Self::Integer => text
                .trim()
                .parse::<i64>()
                .map_or(value.clone(), Value::from),
            Self::Float => text
                .trim()
                .parse::<f64>()
                .map_or(value.clone(), Value::from),
            Self::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" => json!(true),
                "false" => json!(false),
                _ => value,
            },
        }
    }
}

/// Returns an image as `openstack image show` prints it.
pub fn image(image: &Image, human_readable: bool) -> Record {
    let mut api = image.to_api();
    let tags = api.shift_remove("tags").unwrap_or_default();
    api.shift_remove("self");
    let mut fields = Vec::new();
    for name in OWN_ROWS.into_iter().chain(["schema"]) {
        if let Some(value) = api.shift_remove(name).filter(|value| !value.is_null()) {
            let human = name == "size" && human_readable;
            let cell = if human {
                Cell::size(image.size)
            } else {
                Cell::new(value)
            };
            fields.push((name.to_string(), cell));
        }
    }
    let mut properties = Map::new();
    for name in ["os_hidden", "os_hash_algo", "os_hash_value"] {
        if let Some(value) = api.shift_remove(name).filter(|value| !value.is_null()) {
            properties.insert(name.to_string(), value);
        }
    }
    let mut known = Vec::new();
    for (name, kind) in KNOWN {
        if let Some(value) = api.shift_remove(name) {
            known.push((name.to_string(), kind.read(value)));
        }
    }
    properties.extend(api);
    properties.extend(known);
    fields.push(("tags".to_string(), Cell::list(tags)));
    fields.push(("properties".to_string(), Cell::mapping(properties)));
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields.into_iter().collect()
}

/// Returns whether images can be sorted by the field.
pub fn is_field(name: &str) -> bool {
    attribute_named(name).is_some()
        || matches!(
            name,
            "is_hidden" | "is_protected" | "hash_algo" | "hash_value" | "owner_id" | "properties"
        )
        || KNOWN.iter().any(|(known, _)| *known == name)
}
