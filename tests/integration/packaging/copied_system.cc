#include "tests/integration/packaging/copied_system.h"

#include <unistd.h>

#include <csignal>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "common/base/strings.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMakeSystem = R"(set -e
mkdir -p "$1"; mount -t tmpfs none "$1"; cd "$1"; mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
for d in proc dev sys; do mount --rbind /$d root/$d; done
mount -t tmpfs none root/run; mkdir root/run/cordon
mount --bind "$2" root/mnt; rm -rf root/var/lib/cordon root/etc/cordon
echo ready; exec sleep 3600
)";

// $1: the root; $2: its control group. The hierarchies are those of this machine, seen from that group:
// version 2 alone, or beside version 1 with systemd's own.
constexpr const char* kBoot = R"(set -e
mount --make-rprivate /; cd "$1"
umount -R -l proc sys dev run
mount -t proc proc proc; mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run; mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do touch dev/$d; mount --bind /dev/$d dev/$d; done
mkdir dev/shm dev/pts; mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts; ln -s pts/ptmx dev/ptmx
if [ -d /sys/fs/cgroup/unified ]; then
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup; mkdir sys/fs/cgroup/unified sys/fs/cgroup/systemd
  mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
  mount -t cgroup -o none,name=systemd systemd sys/fs/cgroup/systemd
else
  mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
hostname "$2"
rm -rf etc/systemd/system/*.wants/[!c]* etc/fstab
# A sanitizer looks for leaks as a debugger does, which our units forbid.
mkdir -p etc/systemd/system.conf.d
printf '[Manager]\nDefaultEnvironment=ASAN_OPTIONS=detect_leaks=0\n' >etc/systemd/system.conf.d/sanitizer.conf
pivot_root . tmp; umount -l /tmp
export container=cordon-test
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=1
)";

std::vector<fs::path> ControlGroupRoots() {
  const fs::path base = "/sys/fs/cgroup";
  if (fs::exists(base / "unified")) return {base / "unified", base / "systemd"};
  return {base};
}

pid_t OnlyChildOf(pid_t parent) {
  std::ifstream children(StrCat("/proc/", parent, "/task/", parent, "/children"));
  pid_t child = 0;
  children >> child;
  return child;
}

}  // namespace

CopiedSystem::CopiedSystem(fs::path folder, const fs::path& shared, std::string net_namespace)
    : folder_(std::move(folder)),
      net_namespace_(std::move(net_namespace)),
      control_group_(StrCat("cordon-test-", getpid())) {
  holder_ = std::make_unique<Subprocess>(std::vector<std::string>{"unshare", "-m", "sh", "-c", kMakeSystem,
                                                                  "sh", folder_.string(), shared.string()});
  if (!holder_->WaitForOutput("ready"))
    throw std::runtime_error(StrCat("cannot copy the system: ", holder_->Errors()));
}

CopiedSystem::~CopiedSystem() {
  PowerOff();
}

std::vector<std::string> CopiedSystem::Inside(std::vector<std::string> args) const {
  if (systemd_ != 0) {
    args.insert(args.begin(), {"nsenter", "-t", StrCat(systemd_), "-m", "-p", "-u", "-i", "-C"});
  } else {
    args.insert(args.begin(), {"nsenter", StrCat("--mount=/proc/", holder_->Pid(), "/ns/mnt"), "chroot",
                               (folder_ / "root").string()});
  }
  return args;
}

std::unique_ptr<Subprocess> CopiedSystem::Start(std::vector<std::string> args) const {
  return std::make_unique<Subprocess>(Inside(std::move(args)),
                                      SubprocessOptions{.net_namespace = net_namespace_});
}

CommandResult CopiedSystem::Run(std::vector<std::string> args) const {
  return RunCommand(Inside(std::move(args)), {.net_namespace = net_namespace_}, kPatience);
}

std::string CopiedSystem::CannotBoot() {
  if (!fs::exists("/lib/systemd/systemd")) return "systemd is not installed";
  for (const fs::path& root : ControlGroupRoots()) {
    if (!fs::exists(root / "cgroup.procs")) return StrCat("no control groups at ", root.string());
  }
  return "";
}

void CopiedSystem::Boot() {
  std::string join;
  for (const fs::path& root : ControlGroupRoots()) {
    const std::string group = (root / control_group_).string();
    StrAppend(&join, "mkdir -p ", group, "; echo $$ > ", group, "/cgroup.procs; ");
  }
  init_ = std::make_unique<Subprocess>(
      std::vector<std::string>{
          "nsenter", StrCat("--mount=/proc/", holder_->Pid(), "/ns/mnt"), "sh", "-c",
          StrCat("set -e; ", join,
                 "exec unshare -C -m -p -u -i --fork --kill-child sh -c \"$1\" sh \"$2\" \"$3\""),
          "sh", kBoot, (folder_ / "root").string(), control_group_},
      SubprocessOptions{.net_namespace = net_namespace_});
  // systemctl answers when systemd listens; until then there is nobody to wait for.
  const bool up = Eventually(
      [&] {
        systemd_ = OnlyChildOf(init_->Pid());
        if (systemd_ == 0) return false;
        const CommandResult state = Run({"systemctl", "is-system-running", "--wait"});
        return state.output == "running\n" || state.output == "degraded\n";
      },
      std::chrono::seconds(90));
  if (!up) throw std::runtime_error(StrCat("the copied system does not boot: ", Console()));
}

void CopiedSystem::PowerOff() {
  if (!init_) return;
  if (systemd_ != 0) kill(systemd_, SIGKILL);  // and with it everything in its PID namespace
  init_->Kill();
  init_.reset();
  systemd_ = 0;
  LeaveControlGroups();
}

void CopiedSystem::LeaveControlGroups() const {
  for (const fs::path& root : ControlGroupRoots()) {
    // A group can be removed once its processes are reaped.
    Eventually(
        [&] {
          RunCommand({"find", (root / control_group_).string(), "-depth", "-type", "d", "-exec", "rmdir",
                      "{}", ";"});
          return !fs::exists(root / control_group_);
        },
        std::chrono::seconds(10));
  }
}

}  // namespace cordon::testing
