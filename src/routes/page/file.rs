//! A file of the page.

/// `build.rs` generates the table of these.
#[derive(Debug)]
pub struct PageFile {
    /// Without a leading slash.
    pub path: &'static str,
    pub identity: EncodedFile,
    /// Brotli, if smaller.
    pub br: Option<EncodedFile>,
    /// If smaller.
    pub gzip: Option<EncodedFile>,
}

/// A file in one encoding.
#[derive(Debug)]
pub struct EncodedFile {
    /// With quotes. Each encoding has its own (RFC 9110, section 8.8.3.3).
    pub etag: &'static str,
    pub bytes: &'static [u8],
}

impl PageFile {
    pub fn media_type(&self) -> &'static str {
        let (_, extension) = self.path.rsplit_once('.').unwrap_or_default();
        match extension {
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
