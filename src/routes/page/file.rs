//! A file of the page, as it lies in the binary.

/// A file of the page. build.rs writes these down by their names.
#[derive(Debug)]
pub struct File {
    /// Below the page, without a slash in front.
    pub path: &'static str,
    /// As it is.
    pub identity: Form,
    /// By brotli, where that saves something.
    pub br: Option<Form>,
    /// By gzip, where that saves something.
    pub gzip: Option<Form>,
}

/// A file in one encoding.
#[derive(Debug)]
pub struct Form {
    /// Its entity tag, quotes included: one of these bytes, not of the file
    /// (RFC 9110, section 8.8.3.3).
    pub etag: &'static str,
    /// What is sent.
    pub bytes: &'static [u8],
}

impl File {
    /// Its media type, by the end of its name.
    pub fn media_type(&self) -> &'static str {
        let (_, ending) = self.path.rsplit_once('.').unwrap_or_default();
        match ending {
            "css" => "text/css; charset=utf-8",
            "html" => "text/html; charset=utf-8",
            "ico" => "image/x-icon",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "json" | "map" => "application/json",
            "png" => "image/png",
            "svg" => "image/svg+xml",
            "ttf" => "font/ttf",
            "txt" => "text/plain; charset=utf-8",
            "wasm" => "application/wasm",
            "webmanifest" => "application/manifest+json",
            "webp" => "image/webp",
            "woff" => "font/woff",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        }
    }
}
