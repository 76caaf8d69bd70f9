//! Callers of gRPC: a channel to a node with a certificate of its authority, or with a token.

use std::fs;
use std::path::PathBuf;

use lgsp_api::{Endpoint, Link, connect};
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;

use super::{Home, Node};

impl Node {
    /// A node that serves gRPC, with these settings besides.
    pub(crate) fn start_with_grpc(set: impl FnOnce(&mut Home)) -> Self {
        let mut home = Home::new();
        home.serve_grpc();
        set(&mut home);
        Self::start(home)
    }

    /// How this caller, as in `system/vxp.test.11`, reaches the node with a certificate; issued at the first call.
    pub(crate) fn endpoint(&self, who: &str) -> Endpoint {
        let papers = self.home().root().join("papers");
        let file = |ending: &str| papers.join(format!("{}.{ending}", who.replace('/', "-")));
        if !file("pem").exists() {
            self.home()
                .ca(&["issue", "--for", who, "--out", papers.to_str().unwrap()]);
        }
        Endpoint {
            certificate: Some((file("pem"), file("key"))),
            ..self.endpoint_of_nobody()
        }
    }

    /// How anybody reaches the node.
    pub(crate) fn endpoint_of_nobody(&self) -> Endpoint {
        Endpoint {
            url: self.grpc().to_owned(),
            ca: self.home().root().join("ca/ca.pem"),
            certificate: None,
            token: None,
        }
    }

    /// As [`Self::endpoint`], with a token for this alone, as in `publish,receive`.
    pub(crate) fn endpoint_by_token(&self, who: &str, scopes: &str) -> Endpoint {
        let name = format!("{}-{}.token", who.replace('/', "-"), scopes.replace(',', "-"));
        let path: PathBuf = self.home().root().join(name);
        drop(fs::remove_file(&path));
        let out = path.to_str().unwrap();
        let ended = self.lgsp(&["token", "create", "--for", who, "--scope", scopes, "--out", out]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        Endpoint {
            token: Some(path),
            ..self.endpoint_of_nobody()
        }
    }

    /// A channel of this caller.
    pub(crate) async fn link(&self, who: &str) -> Link {
        connect(&self.endpoint(who)).await.unwrap()
    }

    /// A client of the exchange for this caller.
    pub(crate) async fn exchange(&self, who: &str) -> ExchangeClient<Link> {
        ExchangeClient::new(self.link(who).await)
    }
}
