//! A configuration tried out in a directory of its own, with no variable of
//! the real environment.

use std::fs;

use tempfile::TempDir;

use crate::config::{Config, Environment, Faults, Provider, Sources, load};

/// What is loaded.
pub struct Trial {
    directory: TempDir,
    variables: Vec<(String, String)>,
    sources: Sources,
}

impl Trial {
    /// A `trunkline.toml` with this text.
    pub fn file(text: &str) -> Self {
        Self::empty().with("trunkline.toml", text)
    }

    /// No file at all.
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

    /// A file beside it.
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

    pub fn sources(&self) -> Sources {
        Sources {
            environment: self.variables.iter().cloned().collect::<Environment>(),
            ..self.sources.clone()
        }
    }

    pub fn outcome(&self) -> Result<Config, Faults> {
        load(&self.sources())
    }

    pub fn config(&self) -> Config {
        self.outcome()
            .unwrap_or_else(|faults| panic!("refused:\n{faults}"))
    }

    pub fn provider(&self, name: &str) -> Provider {
        self.config().providers.remove(name).unwrap()
    }

    pub fn faults(&self) -> Vec<String> {
        let faults = self.outcome().err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        self.config().warnings
    }

    /// The one fault there is.
    pub fn fault(&self) -> String {
        let mut faults = self.faults();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        faults.remove(0)
    }
}
