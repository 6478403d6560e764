//! The names of an image: each registry with the repository and each tag. The placeholders in repositories and tags are those of
//! Pants.

use std::collections::BTreeMap;

use crate::config::typed::{DockerSettings, Registry};
use crate::packaging::oci::layout;
use crate::prepare::package::image::Error;
use crate::targets::Target;

/// The entry of the field `registries` that stands for the registries that the settings mark as default.
const DEFAULT_REGISTRIES: &str = "<all default registries>";

/// The names of the image that a target describes, such as `registry.example/app:1.0`, in the order of registries and tags.
pub(super) fn names(
    target: &Target,
    settings: &DockerSettings,
    build_args: &BTreeMap<String, String>,
) -> Result<Vec<String>, Error> {
    let tags = strings_or(target, "image_tags", "latest");
    let mut names = Vec::new();
    let registries = registries(target, settings)?;
    let places: Vec<Option<&Registry>> = match registries.is_empty() {
        true => vec![None],
        false => registries.into_iter().map(Some).collect(),
    };
    for registry in places {
        let repository = repository(target, settings, registry, build_args)?;
        let extra = registry.map(|registry| registry.extra_image_tags.as_slice()).unwrap_or_default();
        for tag in tags.iter().copied().chain(extra.iter().map(String::as_str)) {
            let tag = interpolate(target, tag, &values(target, build_args))?;
            let name = match registry {
                Some(registry) => format!("{}/{repository}:{tag}", registry.address.trim_end_matches('/')),
                None => format!("{repository}:{tag}"),
            };
            match is_name(&name) {
                true => names.push(name),
                false => return Err(Error::Name { target: target.address.clone(), name }),
            }
        }
    }
    Ok(names)
}

/// The registries that the field names by alias or address.
fn registries<'s>(target: &Target, settings: &'s DockerSettings) -> Result<Vec<&'s Registry>, Error> {
    let mut found = Vec::new();
    for written in strings_or(target, "registries", DEFAULT_REGISTRIES) {
        if written == DEFAULT_REGISTRIES {
            found.extend(settings.registries.iter().filter(|registry| registry.is_default));
            continue;
        }
        let is_named = |registry: &&Registry| match written.strip_prefix('@') {
            Some(alias) => registry.alias == alias,
            None => registry.address == written,
        };
        let known = || settings.registries.iter().map(|registry| format!("@{}", registry.alias)).collect();
        let registry = settings.registries.iter().find(is_named);
        found.push(registry.ok_or_else(|| Error::Registry {
            target: target.address.clone(),
            written: written.to_owned(),
            known: known(),
        })?);
    }
    Ok(found)
}

/// The strings of a field, or the default if the field is not set.
fn strings_or<'t>(target: &'t Target, field: &str, default: &'static str) -> Vec<&'t str> {
    if target.fields.contains_key(field) { target.strings(field) } else { vec![default] }
}

fn repository(
    target: &Target,
    settings: &DockerSettings,
    registry: Option<&Registry>,
    build_args: &BTreeMap<String, String>,
) -> Result<String, Error> {
    let mut values = values(target, build_args);
    let own = target.text("repository").unwrap_or_default().to_owned();
    let default = registry.and_then(|registry| registry.repository.clone());
    let default = default.unwrap_or_else(|| settings.default_repository.clone());
    values.insert("target_repository".to_owned(), own.clone());
    let default = interpolate(target, &default, &values)?;
    values.insert("default_repository".to_owned(), default.clone());
    Ok(if own.is_empty() { default } else { interpolate(target, &own, &values)? })
}

/// The values of placeholders.
pub(super) fn values(target: &Target, build_args: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let directory = &target.address.dir;
    let name = |path: Option<&str>| path.unwrap_or_default().to_owned();
    let mut values = BTreeMap::from([
        ("name".to_owned(), target.address.name.clone()),
        ("directory".to_owned(), name(directory.file_name())),
        ("full_directory".to_owned(), directory.to_string()),
        ("parent_directory".to_owned(), name(directory.parent().as_ref().and_then(|parent| parent.file_name()))),
    ]);
    values.extend(build_args.iter().map(|(name, value)| (format!("build_args.{name}"), value.clone())));
    values
}

/// Replaces `{placeholder}` by its value.
pub(super) fn interpolate(target: &Target, text: &str, values: &BTreeMap<String, String>) -> Result<String, Error> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let unknown = |placeholder: &str| Error::Placeholder {
            target: target.address.clone(),
            text: text.to_owned(),
            placeholder: placeholder.to_owned(),
            known: values.keys().cloned().collect(),
        };
        let (placeholder, after) = after.split_once('}').ok_or_else(|| unknown(after))?;
        result += before;
        result += values.get(placeholder).ok_or_else(|| unknown(placeholder))?;
        rest = after;
    }
    Ok(result + rest)
}

/// Whether registries accept the name: the grammar of <https://github.com/distribution/reference>, without digests.
fn is_name(name: &str) -> bool {
    let (repository, tag) = layout::split_name(name);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let has_tag = tag.len() <= 128 && tag.starts_with(is_word) && tag.chars().all(|c| is_word(c) || ".-".contains(c));
    let (host, path) = match layout::split_host(repository) {
        Some((host, path)) => (Some(host), path),
        None => (None, repository),
    };
    has_tag && host.is_none_or(layout::is_host) && layout::is_path(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;
    use crate::base::text::Place;
    use crate::targets::{Address, Value, kind};

    fn target(fields: &[(&str, Value)]) -> Target {
        Target {
            address: Address::new(&RelPath::parse("src/app/web").unwrap(), "image"),
            kind: kind::OCI_IMAGE.to_owned(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            sources: Vec::new(),
            generator: None,
            build_file: RelPath::root(),
            place: Place::default(),
        }
    }

    fn texts(items: &[&str]) -> Value {
        Value::List(items.iter().map(|item| Value::Str(item.to_string())).collect())
    }

    fn settings() -> DockerSettings {
        let registry = |alias: &str, address: &str, is_default| Registry {
            alias: alias.to_owned(),
            address: address.to_owned(),
            is_default,
            ..Registry::default()
        };
        DockerSettings {
            default_repository: "{name}".to_owned(),
            registries: vec![
                registry("main", "registry.example.invalid", true),
                registry("other", "localhost:5000", false),
            ],
            ..DockerSettings::default()
        }
    }

    fn check(fields: &[(&str, Value)], expected: &[&str]) {
        let args = BTreeMap::from([("VERSION".to_owned(), "1.2".to_owned())]);
        match names(&target(fields), &settings(), &args) {
            Ok(names) => assert_eq!(names, expected, "{fields:?}"),
            Err(error) => assert_eq!([error.to_string().as_str()], expected, "{fields:?}"),
        }
    }

    #[test]
    fn names_consist_of_registry_repository_and_tag() {
        check(&[], &["registry.example.invalid/image:latest"]);
        check(&[("registries", texts(&[]))], &["image:latest"]);
        check(
            &[("registries", texts(&["@other"])), ("image_tags", texts(&["{build_args.VERSION}", "stable"]))],
            &["localhost:5000/image:1.2", "localhost:5000/image:stable"],
        );
        check(
            &[("repository", Value::Str("{parent_directory}/{directory}-{default_repository}".to_owned()))],
            &["registry.example.invalid/app/web-image:latest"],
        );
    }

    #[test]
    fn names_that_no_registry_accepts_are_errors() {
        check(&[("registries", texts(&["@none"]))], &["src/app/web:image: unknown registry `@none`"]);
        check(
            &[("image_tags", texts(&["{build_args.NONE}"]))],
            &["src/app/web:image: unknown placeholder `{build_args.NONE}` in `{build_args.NONE}`"],
        );
        check(
            &[("repository", Value::Str("App".to_owned()))],
            &["src/app/web:image: `registry.example.invalid/App:latest` is not a valid name of an image"],
        );
    }
}
