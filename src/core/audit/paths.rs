//! A map by path, written as a tree: `{"usr": {"lib": {"a.so": "r"}}}`. Read sets have thousands of paths with common
//! directories, so this takes a fifth of the space of a list.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The entry of a directory that belongs to itself. No file has this name.
const SELF: &str = "/";

/// Serializes a map by absolute path as a tree of its names.
pub fn serialize<S: Serializer, T: Serialize>(map: &BTreeMap<String, T>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut root = Map::new();
    for (path, value) in map {
        let value = serde_json::to_value(value).map_err(serde::ser::Error::custom)?;
        insert(&mut root, path, value);
    }
    root.serialize(serializer)
}

/// The map of [`serialize`].
pub fn deserialize<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let root = Map::deserialize(deserializer)?;
    let mut map = BTreeMap::new();
    collect(&root, "", &mut map).map_err(serde::de::Error::custom)?;
    Ok(map)
}

/// The paths are sorted, but `a/b` may come before or after `a.c`, so a directory may exist before its own value arrives.
fn insert(root: &mut Map<String, Value>, path: &str, value: Value) {
    let mut at = root;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let next = at.entry(name).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(next) = next else { unreachable!("values are stored below the name `/`") };
        at = next;
    }
    at.insert(SELF.to_owned(), value);
}

fn collect<T: serde::de::DeserializeOwned>(
    tree: &Map<String, Value>,
    path: &str,
    map: &mut BTreeMap<String, T>,
) -> Result<(), serde_json::Error> {
    for (name, value) in tree {
        match value {
            value if name == SELF => {
                let path = if path.is_empty() { "/" } else { path };
                map.insert(path.to_owned(), T::deserialize(value)?);
            }
            Value::Object(below) => collect(below, &format!("{path}/{name}"), map)?,
            // Another program wrote this.
            _ => {}
        }
    }
    Ok(())
}
