//! What is sent with each call: the configured headers, the token, and which program and run the call belongs to.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message;
use tonic::metadata::{Ascii, AsciiMetadataKey, BinaryMetadataValue, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::engine::remote::settings::Token;
use crate::engine::remote::{RemoteSettings, reapi};

/// The name of the header with the message `RequestMetadata`, as the API defines it.
const METADATA: &str = "build.bazel.remote.execution.v2.requestmetadata-bin";

/// Adds the headers to each call.
#[derive(Clone)]
pub struct Headers {
    fixed: Arc<Vec<(AsciiMetadataKey, MetadataValue<Ascii>)>>,
    request: BinaryMetadataValue,
    token: Option<Token>,
    file: Arc<Mutex<TokenFile>>,
}

/// The token that was last read from a file.
#[derive(Default)]
struct TokenFile {
    /// Time, size and inode of the file when it was read.
    stamp: Option<(i64, i64, u64, u64)>,
    value: Option<MetadataValue<Ascii>>,
}

impl Headers {
    /// An invalid header is an error with the reason, without its value.
    pub(super) fn new(settings: &RemoteSettings, invocation: &str) -> Result<Headers, String> {
        let mut fixed = Vec::new();
        for (name, value) in &settings.headers.0 {
            let key = AsciiMetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes());
            let key = key.map_err(|_| format!("`{name}` is not a valid name of a header"))?;
            let value = value.parse().map_err(|_| format!("the header `{name}` has an invalid value"))?;
            fixed.push((key, value));
        }
        let tool =
            reapi::ToolDetails { tool_name: "waders".to_owned(), tool_version: env!("CARGO_PKG_VERSION").to_owned() };
        let metadata = reapi::RequestMetadata {
            tool_details: Some(tool),
            tool_invocation_id: invocation.to_owned(),
            ..reapi::RequestMetadata::default()
        };
        let request = BinaryMetadataValue::from_bytes(&metadata.encode_to_vec());
        Ok(Headers { fixed: Arc::new(fixed), request, token: settings.token.clone(), file: Arc::default() })
    }

    /// Reads the token again at the next call, because the server rejected it.
    pub(super) fn forget_token(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = TokenFile::default();
    }

    /// The header for the token, if there is one. An unusable token is an error with the reason.
    pub(super) fn authorization(&self) -> Result<Option<MetadataValue<Ascii>>, String> {
        match &self.token {
            None => Ok(None),
            Some(Token::Text(text)) => bearer(&text.0).map(Some),
            Some(Token::File(path)) => {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.value(path).map(Some)
            }
        }
    }
}

impl TokenFile {
    /// The value for the token in the file, which is read again if it has changed.
    fn value(&mut self, path: &Path) -> Result<MetadataValue<Ascii>, String> {
        let unreadable = |error: std::io::Error| format!("cannot read the token in `{}`: {error}", path.display());
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        let stamp = Some((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino()));
        if let Some(value) = &self.value
            && self.stamp == stamp
        {
            return Ok(value.clone());
        }
        let value = bearer(&std::fs::read_to_string(path).map_err(unreadable)?)?;
        *self = TokenFile { stamp, value: Some(value.clone()) };
        Ok(value)
    }
}

fn bearer(token: &str) -> Result<MetadataValue<Ascii>, String> {
    let token = token.trim();
    let value = format!("Bearer {token}").parse::<MetadataValue<Ascii>>();
    let mut value = value.map_err(|_| "the token contains characters that a header cannot contain".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert_bin(METADATA, self.request.clone());
        for (name, value) in self.fixed.iter() {
            metadata.insert(name.clone(), value.clone());
        }
        if let Some(value) = self.authorization().map_err(Status::unauthenticated)? {
            metadata.insert("authorization", value);
        }
        Ok(request)
    }
}
