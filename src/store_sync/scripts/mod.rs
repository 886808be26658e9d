//! The scripts, and what each is given. Their texts say what they do.

use std::sync::LazyLock;

use crate::store::StoreScript;

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub static $name: LazyLock<StoreScript> =
            LazyLock::new(|| StoreScript::new(include_str!($file)));
    };
}

script!(COUNTER, "counter.lua");
script!(RATE, "rate.lua");
script!(RESTORE, "restore.lua");
script!(SET_COUNTER, "set_counter.lua");
script!(SET_RATE, "set_rate.lua");
script!(HEARTBEAT, "heartbeat.lua");
script!(OBJECT_PUT, "object_put.lua");
script!(OBJECT_GET, "object_get.lua");
script!(OBJECT_SERVER, "object_server.lua");
