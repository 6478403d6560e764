//! The action cache of a server: results by the digest of an action.

use std::sync::atomic::Ordering;

use prost::Message;
use tonic::Code;

use crate::engine::remote::reapi::action_cache_client::ActionCacheClient;
use crate::engine::remote::{Connection, Error, RemoteDigest, reapi};

/// The largest result that is accepted.
const MAX_RESULT_BYTES: usize = 64 << 20;

impl Connection {
    /// The result of an action; `None` if the server has none.
    pub async fn action_result(&self, action: RemoteDigest) -> Result<Option<reapi::ActionResult>, Error> {
        let request = reapi::GetActionResultRequest {
            instance_name: self.instance_name(),
            action_digest: Some(action.to_message()),
            digest_function: self.capabilities().await?.digest_function.number(),
            ..reapi::GetActionResultRequest::default()
        };
        let call = |service| {
            let request = request.clone();
            async move {
                let mut client = ActionCacheClient::new(service).max_decoding_message_size(MAX_RESULT_BYTES);
                match client.get_action_result(request).await {
                    Ok(response) => Ok(Some(response.into_inner())),
                    Err(status) if status.code() == Code::NotFound => Ok(None),
                    Err(status) => Err(status),
                }
            }
        };
        let result: Option<reapi::ActionResult> = self.call("GetActionResult", call).await?;
        let size = result.as_ref().map_or(0, Message::encoded_len);
        self.traffic.received_bytes.fetch_add(size as u64, Ordering::Relaxed);
        Ok(result)
    }

    /// Stores the result of an action. Everything that it names must be on the server.
    pub async fn update_action_result(&self, action: RemoteDigest, result: reapi::ActionResult) -> Result<(), Error> {
        let request = reapi::UpdateActionResultRequest {
            instance_name: self.instance_name(),
            action_digest: Some(action.to_message()),
            action_result: Some(result),
            results_cache_policy: None,
            digest_function: self.capabilities().await?.digest_function.number(),
        };
        self.traffic.sent_bytes.fetch_add(request.encoded_len() as u64, Ordering::Relaxed);
        let call = |service| {
            let request = request.clone();
            async move { ActionCacheClient::new(service).update_action_result(request).await.map(drop) }
        };
        self.call("UpdateActionResult", call).await
    }
}
