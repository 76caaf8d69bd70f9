//! The registry, for reading.

use std::sync::Arc;

use lgsp_proto::registry::v1;
use lgsp_proto::registry::v1::registry_server::Registry;
use lgsp_proto::{read_day, write_agency};
use lgsp_types::{Clock, Exchange};
use tonic::{Request, Response, Status};

use super::principal;
use crate::identity::scope::Scope;
use crate::status::refused;

/// The service over the port.
#[derive(Clone)]
pub(crate) struct RegistryService {
    exchange: Arc<dyn Exchange>,
    clock: Clock,
}

impl RegistryService {
    pub(crate) fn new(exchange: Arc<dyn Exchange>, clock: Clock) -> Self {
        Self { exchange, clock }
    }
}

#[tonic::async_trait]
impl Registry for RegistryService {
    async fn list_agencies(
        &self,
        request: Request<v1::ListAgenciesRequest>,
    ) -> Result<Response<v1::ListAgenciesResponse>, Status> {
        principal(&request, Scope::Registry)?;
        let as_of = read_day(&request.get_ref().as_of, "as_of").map_err(|wrong| refused(&[wrong]))?;
        let as_of = as_of.unwrap_or_else(|| (self.clock)().day_in_vietnam());
        Ok(Response::new(v1::ListAgenciesResponse {
            as_of: as_of.to_string(),
            agencies: self.exchange.agencies(as_of).iter().map(write_agency).collect(),
        }))
    }
}
