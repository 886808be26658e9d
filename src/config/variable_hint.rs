//! Hints for variables that look like settings but are none.

use super::error::{KeyPath, nearest};
use super::schema_node::SchemaNode;

/// Names that other servers use for the address.
const ADDRESS_NAMES: [&str; 6] = ["host", "port", "address", "addr", "bind", "listen_address"];
/// Names for the file, whose variable belongs to no key.
const FILE_NAMES: [&str; 3] = ["config_file", "config_path", "configuration"];
/// Shorter names are near to too many others.
const SHORTEST_MISSPELT: usize = 5;

/// A sentence about a variable that is ignored; `rest` is its name without the prefix.
/// None for those that have nothing to do with Trunkline's settings.
pub fn hint(name: &str, rest: &str, value: &str, schema: &SchemaNode) -> Option<String> {
    let rest = rest.to_ascii_lowercase();
    if is_from_kubernetes(&rest, value) {
        return None;
    }
    if FILE_NAMES.contains(&rest.as_str()) {
        return Some(format!("{name} is ignored; did you mean TRUNKLINE_CONFIG?"));
    }
    let known = spellings(schema);
    let find = |wanted: &str| known.iter().find(|(spelling, _)| spelling == wanted);
    let meant = find(&rest).or_else(|| {
        let of_admin = rest.strip_prefix("admin_");
        let address = of_admin.or(rest.strip_prefix("server_")).unwrap_or(&rest);
        if ADDRESS_NAMES.contains(&address) {
            return find(of_admin.map_or("server_listen", |_| "admin_listen"));
        }
        let long = known.iter().map(|(spelling, _)| spelling.as_str());
        let long = long.filter(|it| it.len().min(rest.len()) >= SHORTEST_MISSPELT);
        find(nearest(&rest, long)?)
    })?;
    let variable = meant.1.variable();
    let is_missing_underscore = variable.replace("__", "_") == name;
    let cure = match meant.0.as_str() {
        _ if is_missing_underscore => ", with two underscores?",
        "server_listen" | "listen" => ", with an address and port such as 127.0.0.1:8080?",
        "admin_listen" => ", with an address and port such as 127.0.0.1:8081?",
        _ => "?",
    };
    Some(format!("{name} is ignored; did you mean {variable}{cure}"))
}

/// Single underscores and missing sections are the most common mistakes. First the
/// keys with their sections, then those of `[server]`, then all others.
fn spellings(schema: &SchemaNode) -> Vec<(String, KeyPath)> {
    let SchemaNode::Table(sections) = schema else {
        return Vec::new();
    };
    let (mut whole, mut server, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for (section, field) in sections {
        let SchemaNode::Table(fields) = &field.node else {
            if field.node.is_value() {
                whole.push((section.clone(), KeyPath::new([section])));
            }
            continue;
        };
        for (key, _) in fields.iter().filter(|(_, field)| field.node.is_value()) {
            let path = KeyPath::new([section, key]);
            whole.push((format!("{section}_{key}"), path.clone()));
            let alone = if section == "server" {
                &mut server
            } else {
                &mut other
            };
            alone.push((key.clone(), path));
        }
    }
    [whole, server, other].concat()
}

/// True for what Kubernetes sets in every pod for a Service whose name begins with
/// `trunkline` (kubernetes.io, "Discovering services").
fn is_from_kubernetes(rest: &str, value: &str) -> bool {
    let of_port = |protocol: &str| {
        let Some((before, _)) = rest.rsplit_once(protocol) else {
            return false;
        };
        let number = before.rsplit_once('_').map(|(_, number)| number);
        number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    value.contains("://")
        || rest.ends_with("service_host")
        || rest.contains("service_port")
        || ["_tcp", "_udp", "_sctp"].into_iter().any(of_port)
}
