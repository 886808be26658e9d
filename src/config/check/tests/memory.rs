use crate::config::tests::Trial;

const MIB: usize = 1 << 20;

fn max_buffered(server: &str, limit: Option<u64>) -> (usize, Vec<String>) {
    let trial = Trial::file(&format!("[server]\nworkers = 1\n{server}"));
    let config = match limit {
        Some(limit) => trial.memory_limit(limit).config(),
        None => trial.config(),
    };
    (config.server.max_buffered / MIB, config.warnings)
}

#[test]
fn the_budget_of_bodies_follows_the_memory_limit() {
    assert_eq!(max_buffered("", None), (512, vec![]));
    assert_eq!(max_buffered("", Some(4096)), (512, vec![]));
    // 15 MiB for the process, 256 MiB for connections.
    assert_eq!(max_buffered("", Some(768)), (220, vec![]));
    assert_eq!(
        max_buffered("max_connections = 1024", Some(128)),
        (43, vec![])
    );
    // Never less than the largest body.
    let small = "max_connections = 64\nmax_body = \"4MiB\"";
    assert_eq!(max_buffered(small, Some(32)), (7, vec![]));
    assert_eq!(max_buffered(small, Some(8)).0, 4);
}

#[test]
fn a_limit_that_the_container_cannot_hold_is_named() {
    let configured = "max_connections = 1024\nmax_buffered = \"256MiB\"";
    assert_eq!(max_buffered(configured, Some(640)), (256, vec![]));
    assert_eq!(max_buffered(configured, None), (256, vec![]));
    let (size, warnings) = max_buffered(configured, Some(256));
    assert_eq!(size, 256);
    assert_eq!(
        warnings,
        [
            "trunkline.toml:4: server: may take up to 607.0 MiB of memory with 1024 connections and \
          256.0 MiB of buffered bodies, but the container has 256.0 MiB, and would be killed; lower \
          server.max_connections, server.max_buffered or server.max_body, or raise the container's limit"
        ]
    );
    let (_, warnings) = max_buffered("", Some(64));
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("256 connections"), "{warnings:#?}");
}

#[test]
fn the_default_number_of_connections_is_one_that_the_machine_affords() {
    let trial = |server: &str| Trial::file(&format!("[server]\nworkers = 1\n{server}"));
    let connections = |trial: Trial| {
        let config = trial.config();
        assert_eq!(config.warnings, [""; 0]);
        config.server.max_connections
    };
    assert_eq!(connections(trial("")), 16_384);
    assert_eq!(connections(trial("").descriptor_limit(1 << 20)), 16_384);
    assert_eq!(connections(trial("").descriptor_limit(20_000)), 11_744);
    assert_eq!(connections(trial("").descriptor_limit(1024)), 480);
    let few = "max_in_flight = 100";
    assert_eq!(connections(trial(few).descriptor_limit(1024)), 860);
    // Half of the memory, or what the largest body leaves.
    assert_eq!(connections(trial("").memory_limit(256)), 8192);
    assert_eq!(connections(trial("").memory_limit(128)), 41 * 64);
    let both = trial("").memory_limit(128).descriptor_limit(1024);
    assert_eq!(connections(both), 480);
    let configured = "max_connections = 1000";
    assert_eq!(connections(trial(configured).descriptor_limit(64)), 1000);
}
