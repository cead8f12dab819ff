/** .rpm: made by rpmbuild, with gzip, which every rpm unpacks. */
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { run } from "../run.ts";
import { type LinuxProduct, scriptFunctions } from "./product.ts";
import { layOut, put } from "./tree.ts";

const ARCH = { x64: "x86_64", arm64: "aarch64" } as const;

export const rpmName = ({ name, version, arch }: Pick<LinuxProduct, "name" | "version" | "arch">): string =>
  `${name}-${version}-1.${ARCH[arch]}.rpm`;

/** Makes `out`. `scratch`: an empty folder on the file system of the executable. */
export async function makeRpm(product: LinuxProduct, out: string, scratch: string): Promise<void> {
  const root = join(scratch, "root");
  mkdirSync(root, { recursive: true });
  layOut(root, product);
  const file = join(scratch, "package.spec");
  put(file, spec(product, root));
  await run("rpmbuild", [
    ...["-bb", "--quiet", `--target=${ARCH[product.arch]}-linux`],
    ...["--define", `_topdir ${join(scratch, "rpmbuild")}`, file],
  ]);
  renameSync(join(scratch, "rpmbuild/RPMS", ARCH[product.arch], rpmName(product)), out);
}

function spec(product: LinuxProduct, root: string): string {
  const { name, version, summary, description, needs } = product;
  return `# A single executable carries its program behind its own end: nothing may strip it or look for build ids.
%global __strip /bin/true
%global debug_package %{nil}
%global __os_install_post %{nil}
%global _build_id_links none
%global _binary_payload w4.gzdio
# The same bytes whoever packs it, and wherever.
%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
%global _buildhost tributary.invalid
%global _unitdir /usr/lib/systemd/system

Name: ${name}
Version: ${version}
Release: 1
Summary: ${summary}
License: see /usr/share/doc/${name}/third-party-licences.txt
Group: Applications/Internet
AutoReqProv: no
Requires: ${needs.rpm.join(", ")}
Requires(post): /usr/sbin/useradd, /usr/bin/systemctl
Requires(preun): /usr/bin/systemctl

%description
${description.join("\n")}

%install
mkdir -p %{buildroot}
cp -al ${root}/. %{buildroot}/

%files
%defattr(-,root,root)
/usr/bin/${name}
%{_unitdir}/${name}.service
%doc /usr/share/doc/${name}

%post
${scriptFunctions(product)}
make_account
# $1 counts the versions that are installed then: 1 is a first installation.
if [ "$1" = 1 ]; then systemctl enable --quiet ${name}.service || true; fi
start_service

%preun
if [ "$1" = 0 ]; then
  if [ -d /run/systemd/system ]; then systemctl stop ${name}.service || true; fi
  systemctl disable --quiet ${name}.service || true
fi

# Key, queue and settings stay for the next installation; \`tributary-agent service uninstall --purge\` deletes them before.
%postun
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`;
}
