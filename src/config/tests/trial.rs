//! A configuration in a temporary directory, isolated from the real environment.

use std::fs;

use tempfile::TempDir;

use crate::config::{Config, ConfigErrors, Environment, ProviderConfig, Sources, load};

/// The sources of a configuration to load.
pub struct Trial {
    directory: TempDir,
    variables: Vec<(String, String)>,
    sources: Sources,
}

impl Trial {
    /// With this `trunkline.toml`.
    pub fn file(text: &str) -> Self {
        Self::empty().with("trunkline.toml", text)
    }

    /// Without files.
    pub fn empty() -> Self {
        let directory = TempDir::new().unwrap();
        let sources = Sources {
            directory: directory.path().to_owned(),
            ..Sources::default()
        };
        let variables = Vec::new();
        Self {
            directory,
            variables,
            sources,
        }
    }

    /// Adds a file next to it.
    pub fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.directory.path().join(name), bytes).unwrap();
        self
    }

    /// A certificate, its key and an authority: `tls.crt`, `tls.key`, `ca.crt`.
    pub fn with_certificates(self) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        self.with("tls.crt", &certificate)
            .with("tls.key", key.serialize_pem())
            .with("ca.crt", certificate)
    }

    pub fn with_directory(self, name: &str) -> Self {
        fs::create_dir(self.directory.path().join(name)).unwrap();
        self
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub fn config_flag(mut self, name: &str) -> Self {
        self.sources.file = Some(name.into());
        self
    }

    pub fn listen_flag(mut self, value: &str) -> Self {
        self.sources.flags.listen = Some(value.into());
        self
    }

    pub fn log_format_flag(mut self, value: &str) -> Self {
        self.sources.flags.log_format = Some(value.into());
        self
    }

    /// The container's, in MiB.
    pub fn memory_limit(mut self, mib: u64) -> Self {
        self.sources.memory_limit = Some(mib << 20);
        self
    }

    pub fn descriptor_limit(mut self, limit: u64) -> Self {
        self.sources.descriptor_limit = Some(limit);
        self
    }

    pub fn sources(&self) -> Sources {
        Sources {
            environment: self.variables.iter().cloned().collect::<Environment>(),
            ..self.sources.clone()
        }
    }

    pub fn load(&self) -> Result<Config, ConfigErrors> {
        load(&self.sources())
    }

    pub fn config(&self) -> Config {
        self.load()
            .unwrap_or_else(|errors| panic!("refused:\n{errors}"))
    }

    pub fn provider(&self, name: &str) -> ProviderConfig {
        self.config().providers.remove(name).unwrap()
    }

    pub fn errors(&self) -> Vec<String> {
        let errors = self.load().err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        self.config().warnings
    }

    /// The only error.
    pub fn error(&self) -> String {
        let mut errors = self.errors();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        errors.remove(0)
    }
}
