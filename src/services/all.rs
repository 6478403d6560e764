//! The list of built-in services, and how the settings complete it. A new service needs a description and a line here.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::text::nearest;
use crate::config::Config;
use crate::config::typed::{ServiceTable, ServicesSettings};
use crate::services::{Error, Service};

/// The description of each service, sorted by name.
const SERVICES: [(&str, &str); 7] = [
    ("docker", include_str!("docker.toml")),
    ("etcd", include_str!("etcd.toml")),
    ("mariadb", include_str!("mariadb.toml")),
    ("memcached", include_str!("memcached.toml")),
    ("postgresql", include_str!("postgresql.toml")),
    ("rabbitmq", include_str!("rabbitmq.toml")),
    ("redis", include_str!("redis.toml")),
];

/// The built-in descriptions, each completed or overridden by the settings, and those that only the settings have.
fn tables(config: &Config) -> BTreeMap<String, ServiceTable> {
    let built_in = |(name, text): (&str, &str)| {
        (name.to_owned(), toml::from_str::<ServiceTable>(text).expect("a test parses every description"))
    };
    let mut tables: BTreeMap<String, ServiceTable> = SERVICES.into_iter().map(built_in).collect();
    for (name, table) in ServicesSettings::parse(config).tables {
        let base = tables.remove(&name).unwrap_or_default();
        tables.insert(name, overridden(base, table));
    }
    tables
}

/// The names of all services.
pub fn names(config: &Config) -> BTreeSet<String> {
    let own = ServicesSettings::parse(config).tables.into_keys();
    SERVICES.iter().map(|(name, _)| (*name).to_owned()).chain(own).collect()
}

/// The services of these names, in their order. An error if one is unknown or incomplete, or if two have the same port or
/// different values for a variable.
pub fn find_all(config: &Config, names: &[String]) -> Result<Vec<Service>, Error> {
    let mut tables = tables(config);
    let mut found: Vec<Service> = Vec::new();
    for name in names {
        let Some(table) = tables.remove(name) else {
            let known: Vec<String> = self::names(config).into_iter().collect();
            let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(Error::Unknown { name: name.clone(), near, known });
        };
        let service = Service::new(name, table)?;
        if let Some(other) = found.iter().find(|other| service.port.is_some() && other.port == service.port) {
            let (first, second, port) = (other.name.clone(), name.clone(), service.port.unwrap_or_default());
            return Err(Error::SamePort { first, second, port });
        }
        for (variable, value) in service.variables(&service.place()) {
            let is_other =
                |other: &&Service| other.variables(&other.place()).get(&variable).is_some_and(|other| *other != value);
            if let Some(other) = found.iter().find(is_other) {
                return Err(Error::SameVariable { first: other.name.clone(), second: name.clone(), variable });
            }
        }
        found.push(service);
    }
    Ok(found)
}

/// A description with the values of another one, where that has values. Variables are merged.
fn overridden(base: ServiceTable, by: ServiceTable) -> ServiceTable {
    let merged = |base: Option<BTreeMap<String, String>>, by: Option<BTreeMap<String, String>>| match (base, by) {
        (Some(mut base), Some(by)) => {
            base.extend(by);
            Some(base)
        }
        (base, by) => by.or(base),
    };
    ServiceTable {
        packages: by.packages.or(base.packages),
        path: by.path.or(base.path),
        port: by.port.or(base.port),
        init: by.init.or(base.init),
        fill: by.fill.or(base.fill),
        start: by.start.or(base.start),
        ready: by.ready.or(base.ready),
        stop: by.stop.or(base.stop),
        images: by.images.or(base.images),
        offers: by.offers.or(base.offers),
        container: by.container.or(base.container),
        timeout: by.timeout.or(base.timeout),
        variables: merged(base.variables, by.variables),
        env: merged(base.env, by.env),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(tables: serde_json::Value, names: &[&str]) -> Result<Vec<Service>, String> {
        let config = Config::of([("services", "named", tables)]);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        find_all(&config, &names).map_err(|error| error.to_string())
    }

    #[test]
    fn every_built_in_description_is_complete() {
        for (name, _) in SERVICES {
            assert_eq!(found(json!({}), &[name]).unwrap()[0].name, name);
        }
    }

    #[test]
    fn settings_override_single_keys_of_a_built_in_description() {
        let tables = json!({ "redis": { "port": 7000, "variables": { "CACHE": "{host}:{port}" } } });
        let redis = found(tables, &["redis"]).unwrap().remove(0);
        assert_eq!(redis.variables(&redis.place())["CACHE"], "127.0.0.1:7000");
        assert_eq!(redis.variables(&redis.place())["REDIS_URL"], "redis://127.0.0.1:7000/0");
        assert_eq!(redis.packages, ["redis-server"]);
    }

    #[test]
    fn two_services_cannot_have_the_same_port() {
        let tables = json!({ "other": { "packages": ["p"], "start": ["run"], "port": 6379 } });
        let error = found(tables, &["other", "redis"]).unwrap_err();
        assert_eq!(error, "the services `other` and `redis` have the same port 6379");
    }

    #[test]
    fn two_services_cannot_set_a_variable_to_different_values() {
        let tables = |value: &str| json!({ "redis": { "variables": { "ETCD_HOST": value } } });
        let error = found(tables("elsewhere"), &["etcd", "redis"]).unwrap_err();
        assert_eq!(error, "the services `etcd` and `redis` set the variable `ETCD_HOST` to different values");
        assert!(found(tables("{host}"), &["etcd", "redis"]).is_ok());
    }

    #[test]
    fn an_unknown_service_is_refused() {
        assert_eq!(found(json!({}), &["reddis"]).unwrap_err(), "there is no service `reddis`");
        let error = found(json!({ "own": { "port": 1 } }), &["own"]).unwrap_err();
        assert_eq!(error, "the service `own` has no `start` in `[services.own]`");
    }
}
