//! The scopes of an API key.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StaffRole;

/// What an API key may do. No scope lets a machine manage people, keys or policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum ApiScope {
    #[serde(rename = "proposals:read")]
    ProposalsRead,
    #[serde(rename = "proposals:decide")]
    ProposalsDecide,
    #[serde(rename = "policies:read")]
    PoliciesRead,
    #[serde(rename = "audit:read")]
    AuditRead,
    #[serde(rename = "usage:read")]
    UsageRead,
    #[serde(rename = "deliveries:read")]
    DeliveriesRead,
}

impl ApiScope {
    pub const ALL: [Self; 6] = [
        Self::ProposalsRead,
        Self::ProposalsDecide,
        Self::PoliciesRead,
        Self::AuditRead,
        Self::UsageRead,
        Self::DeliveriesRead,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ProposalsRead => "proposals:read",
            Self::ProposalsDecide => "proposals:decide",
            Self::PoliciesRead => "policies:read",
            Self::AuditRead => "audit:read",
            Self::UsageRead => "usage:read",
            Self::DeliveriesRead => "deliveries:read",
        }
    }

    pub(super) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// An API key that was found to be live.
#[derive(Clone)]
pub(super) struct MachineKey {
    pub id: Uuid,
    /// The member of staff who made the key, and for whom it acts.
    pub maker_email: String,
    pub maker_role: StaffRole,
    pub scopes: Vec<ApiScope>,
}
