//! Which operation a request asks for: the last path segment decides, whatever stands before it.
//!
//! Source: vxp-wire.md 2 (prefixes and doubled slashes) and 5.

use http::Method;

/// What the façade does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    SendEdoc,
    GetReceivedEdocList,
    GetEdoc,
    DownloadEdoc,
    UpdateStatus,
    GetAgenciesList,
    GetAgenciesListQd20,
    CountReceiveEdoc,
    CountReceiveStatus,
    /// An operation of the axis that is not offered here yet.
    NotOffered,
    /// No operation of the axis, or asked for with the wrong method.
    Unknown,
}

impl Operation {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let asked = match path.rsplit('/').next().unwrap_or_default() {
            "sendEdoc" => Self::SendEdoc,
            "getReceivedEdocList" => Self::GetReceivedEdocList,
            "getEdoc" => Self::GetEdoc,
            "downloadEdoc" => Self::DownloadEdoc,
            "updateStatus" => Self::UpdateStatus,
            "getAgenciesList" => Self::GetAgenciesList,
            "getAgenciesListQD20" => Self::GetAgenciesListQd20,
            "countReceiveEdoc" => Self::CountReceiveEdoc,
            "countReceiveStatus" => Self::CountReceiveStatus,
            "registerAgency" | "deleteAgency" | "getSynchronizeUnit" | "getSentEdocList" => Self::NotOffered,
            _ => Self::Unknown,
        };
        let downloads = asked == Self::DownloadEdoc && *method == Method::GET;
        if downloads || *method == Method::POST {
            asked
        } else {
            Self::Unknown
        }
    }

    /// The name in logs; never what the caller wrote.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SendEdoc => "sendEdoc",
            Self::GetReceivedEdocList => "getReceivedEdocList",
            Self::GetEdoc => "getEdoc",
            Self::DownloadEdoc => "downloadEdoc",
            Self::UpdateStatus => "updateStatus",
            Self::GetAgenciesList => "getAgenciesList",
            Self::GetAgenciesListQd20 => "getAgenciesListQD20",
            Self::CountReceiveEdoc => "countReceiveEdoc",
            Self::CountReceiveStatus => "countReceiveStatus",
            Self::NotOffered => "not offered",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_doubled_slashes_do_not_matter() {
        for path in [
            "/sendEdoc",
            "//sendEdoc",
            "/truc/vxp/sendEdoc",
            "/truc//sendEdoc",
            "sendEdoc",
        ] {
            assert_eq!(Operation::of(&Method::POST, path), Operation::SendEdoc, "{path}");
        }
        for path in [
            "/",
            "",
            "/sendEdoc/",
            "/SendEdoc",
            "/sendEdoc/..",
            "/%73endEdoc",
            "/sendEdoc2",
        ] {
            assert_eq!(Operation::of(&Method::POST, path), Operation::Unknown, "{path}");
        }
        assert_eq!(
            Operation::of(&Method::POST, "/x/getSentEdocList"),
            Operation::NotOffered
        );
    }

    #[test]
    fn only_download_is_a_get() {
        assert_eq!(Operation::of(&Method::GET, "/sendEdoc"), Operation::Unknown);
        assert_eq!(Operation::of(&Method::DELETE, "/updateStatus"), Operation::Unknown);
        assert_eq!(Operation::of(&Method::GET, "/downloadEdoc"), Operation::DownloadEdoc);
    }
}
