//! What takes the space of a store.

use std::collections::{BTreeMap, HashMap};

use super::listing::{Space, entries, space};
use super::rows::{Interpret, Table};
use crate::base::Digest;
use crate::store::error::Result;
use crate::store::layout::Store;
use crate::store::objects::object_path::Form;

/// The space of each part of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files on the disk by part. The sum of these is the space of the store.
    pub parts: Vec<(&'static str, Space)>,
    /// The images by the kind of their trees: parts of the part `images`, where `files` is the number of images.
    pub images: BTreeMap<&'static str, Space>,
    /// The values in the index by their kind: parts of the part `index`, where `files` is the number of rows.
    pub rows: BTreeMap<&'static str, Space>,
}

/// The kind of images whose tree no row of the index names.
const OTHER_IMAGES: &str = "inputs of steps";

impl Usage {
    /// The space of the whole store.
    pub fn total(&self) -> Space {
        let mut total = Space::default();
        self.parts.iter().for_each(|(_, part)| total.add(*part));
        total
    }
}

impl Store {
    /// What takes the space of the store. Files that other processes write or remove in the meantime may be counted or not.
    pub fn usage(&self, interpret: Interpret<'_>) -> Result<Usage> {
        let mut usage = Usage::default();
        let mut kinds: HashMap<Digest, &'static str> = HashMap::new();
        self.each_row(|row| {
            let meaning = interpret(&row);
            let size_bytes = row.value.len() as u64;
            let part = usage.rows.entry(meaning.part).or_default();
            part.add(Space { files: 1, size_bytes, disk_bytes: size_bytes });
            if row.table == Table::Memory {
                kinds.extend(meaning.trees);
            }
        })?;
        let kinds: HashMap<[u8; 32], &'static str> =
            kinds.into_iter().map(|(digest, kind)| (*digest.hash(), kind)).collect();
        let [mut blobs, mut trees, mut images] = [Space::default(); 3];
        for object in self.objects()? {
            let is_tree = object.identity.is_some_and(|(_, form)| form == Form::Tree);
            let part = if is_tree { &mut trees } else { &mut blobs };
            part.add(Space { files: 1, size_bytes: object.size_bytes, disk_bytes: object.disk_bytes });
        }
        for (hash, space) in self.images()? {
            images.add(space);
            let kind = usage.images.entry(kinds.get(&hash).copied().unwrap_or(OTHER_IMAGES)).or_default();
            kind.add(Space { files: 1, ..space });
        }
        usage.parts = vec![("blobs", blobs), ("trees", trees), ("images", images)];
        usage.parts.extend(self.other_parts()?);
        Ok(usage)
    }

    /// The parts of the store that contain neither objects nor images.
    fn other_parts(&self) -> Result<Vec<(&'static str, Space)>> {
        let [mut index, mut records, mut runs, mut quarantine, mut temporary, mut other] = [Space::default(); 6];
        for path in entries(&self.root)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let part = match name.as_str() {
                "blob" | "tree" | "image" => continue,
                "repository" => &mut records,
                "run" => &mut runs,
                "quarantine" => &mut quarantine,
                "tmp" => &mut temporary,
                name if name.starts_with("index") => &mut index,
                _ => &mut other,
            };
            part.add(space(&path));
        }
        let parts = [("index", index), ("records", records), ("runs", runs), ("quarantine", quarantine)];
        Ok(parts.into_iter().chain([("temporary", temporary), ("other", other)]).collect())
    }
}
