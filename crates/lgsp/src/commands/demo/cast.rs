//! Who plays: three departments of the province as it is today, each with its own document system.

use std::path::PathBuf;

use crate::commands::Failure;
use crate::private;

/// One department's system.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct System {
    /// The code it sends with.
    pub(super) agency: String,
    pub(super) system: String,
    pub(super) secret: String,
    /// PEM files of its certificate and key, once they are made.
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) token: String,
    #[serde(skip)]
    pub(super) token_file: PathBuf,
    #[serde(skip)]
    pub(super) agency_id: &'static str,
    #[serde(skip)]
    pub(super) name: &'static str,
    /// How the play calls it.
    #[serde(skip)]
    pub(super) part: &'static str,
}

/// The agencies of the province, as shipped: name and text of each file.
pub(super) const REGISTRY: &[(&str, &str)] = &[
    (
        "phu-tho.toml",
        include_str!("../../../../../config/registry/phu-tho.toml"),
    ),
    (
        "vinh-phuc.toml",
        include_str!("../../../../../config/registry/vinh-phuc.toml"),
    ),
];

/// The contracts, as shipped: path and text of each file.
pub(super) const CONTRACTS: &[(&str, &str)] = &[
    (
        "vn.lgsp.document/1/schema.json",
        include_str!("../../../../../config/contracts/vn.lgsp.document/1/schema.json"),
    ),
    (
        "vn.lgsp.document/1/contract.toml",
        include_str!("../../../../../config/contracts/vn.lgsp.document/1/contract.toml"),
    ),
    (
        "vn.lgsp.document-status/1/schema.json",
        include_str!("../../../../../config/contracts/vn.lgsp.document-status/1/schema.json"),
    ),
    (
        "vn.lgsp.document-status/1/contract.toml",
        include_str!("../../../../../config/contracts/vn.lgsp.document-status/1/contract.toml"),
    ),
];

pub(super) fn systems() -> Result<Vec<System>, Failure> {
    let parts = [
        (
            "sender",
            "pt.so-khoa-hoc-va-cong-nghe",
            "H44.06",
            "Sở Khoa học và Công nghệ",
        ),
        ("justice", "pt.so-tu-phap", "H44.14", "Sở Tư pháp tỉnh Phú Thọ"),
        ("interior", "pt.so-noi-vu", "H44.08", "Sở Nội vụ tỉnh Phú Thọ"),
    ];
    let system = |(part, agency_id, code, name): (&'static str, &'static str, &str, &'static str)| {
        let system = format!("vxp.demo.{part}");
        Ok(System {
            agency: code.to_owned(),
            system,
            secret: private::fresh_secret().map_err(Failure::cannot)?,
            cert: PathBuf::new(),
            key: PathBuf::new(),
            token: String::new(),
            token_file: PathBuf::new(),
            agency_id,
            name,
            part,
        })
    };
    parts.into_iter().map(system).collect()
}

/// A department whose service is called.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) agency: &'static str,
    pub(super) name: &'static str,
    /// Its system, and the reference of its secret.
    pub(super) system: &'static str,
}

pub(super) const CALLED: Called = Called {
    agency: "H44.01",
    name: "Văn phòng UBND tỉnh Phú Thọ",
    system: "app.demo.office",
};
/// Code and name of an agency to which nobody may send any more.
pub(super) const OUTSIDE: (&str, &str) = ("G99", "Cơ quan trung ương (minh họa)");
/// The grant that allowed it.
pub(super) const LAPSED_GRANT: &str = "demo.het-han";

/// The registry file of the service that is called at this address, and of the right that has lapsed.
pub(super) fn rules(url: &str) -> String {
    let Called { agency, system, .. } = CALLED;
    let (outside, name) = OUTSIDE;
    format!(
        "format = 1\n\n[[system]]\nid = \"{system}\"\nagency = \"pt.van-phong-ubnd-tinh\"\nspeaks_for = [\"{agency}\"]\n\
         secret_ref = \"{system}\"\nkey_id = \"{system}.1\"\n\n[[connector]]\nid = \"{system}\"\nsystem = \"{system}\"\n\
         adapter = \"webhook\"\nmode = \"push\"\nurl = \"{url}\"\nretry_waits_ms = {RETRY_WAITS_MS:?}\n\n\
         [[agency]]\nid = \"demo.trung-uong\"\nkind = \"central\"\nnames = [\"{name}\"]\ncodes = [\"{outside}\"]\n\n\
         [[system]]\nid = \"app.demo.outside\"\nagency = \"demo.trung-uong\"\nspeaks_for = [\"{outside}\"]\n\n\
         [[connector]]\nid = \"app.demo.outside\"\nsystem = \"app.demo.outside\"\nadapter = \"edxml-vxp\"\nmode = \"pull\"\n\n\
         [[grant]]\nid = \"{LAPSED_GRANT}\"\ncontracts = [\"vn.lgsp.document/*\"]\nsenders = [\"H44.06\"]\n\
         addressees = [\"{outside}\"]\nto = 2025-12-31\n"
    )
}

/// Waits before the tries of a push: the demo has no three days.
const RETRY_WAITS_MS: [u32; 12] = [
    0, 200, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000,
];

/// The registry file of the demo's systems, and of the adapter that speaks as them.
pub(super) fn registry(systems: &[System], adapter: &str) -> String {
    let mut text =
        "# Systems of the demo: one per department, each pulling what is addressed to it.\nformat = 1\n".to_owned();
    for System {
        system,
        agency,
        agency_id,
        ..
    } in systems
    {
        text.push_str(&format!(
            "\n[[system]]\nid = \"{system}\"\nagency = \"{agency_id}\"\nspeaks_for = [\"{agency}\"]\n\
             secret_ref = \"{system}\"\nkey_id = \"{system}.1\"\n\n\
             [[connector]]\nid = \"{system}\"\nsystem = \"{system}\"\nadapter = \"edxml-vxp\"\nmode = \"pull\"\n"
        ));
    }
    let names: Vec<&str> = systems.iter().map(|system| system.system.as_str()).collect();
    text.push_str(&format!("\n[[adapter]]\nid = \"{adapter}\"\nspeaks_as = {names:?}\n"));
    text
}
