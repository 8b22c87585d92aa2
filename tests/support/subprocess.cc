#include "tests/support/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>

#include "common/base/strings.h"
#include "tests/support/net_namespace.h"

namespace cordon::testing {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPollStep = std::chrono::milliseconds(2);

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  return {ends[0], ends[1]};
}

std::vector<std::string> Environment(const SubprocessOptions& options) {
  std::map<std::string, std::string> values;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      values[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : options.env) values[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : values) out.push_back(StrCat(name, "=", value));
  return out;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::string Joined(const std::vector<std::string>& args) {
  std::string out;
  for (const std::string& arg : args) StrAppend(&out, out.empty() ? "" : " ", arg);
  return out;
}

}  // namespace

Subprocess::Subprocess(std::vector<std::string> args, SubprocessOptions options) {
  const Pipe in = MakePipe();
  const Pipe out = MakePipe();
  const Pipe error = MakePipe();
  input_ = in.write;
  output_.fd = out.read;
  errors_.fd = error.read;
  try {
    Spawn(args, options, in.read, out.write, error.write);
  } catch (...) {
    for (const int fd : {in.read, in.write, out.read, out.write, error.read, error.write}) close(fd);
    throw;
  }
  for (const int fd : {in.read, out.write, error.write}) close(fd);
  output_.reader = std::thread([this] { Read(&output_); });
  errors_.reader = std::thread([this] { Read(&errors_); });
}

void Subprocess::Spawn(const std::vector<std::string>& args, const SubprocessOptions& options, int in,
                       int out, int error) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, error, 2);
  if (options.without_our_files) posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (!options.working_dir.empty())
    posix_spawn_file_actions_addchdir_np(&actions, options.working_dir.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> arguments = args;
  std::vector<std::string> environment = Environment(options);
  int failed = 0;
  {
    // A child starts in the network namespace of the thread that spawns it.
    std::optional<InNetNamespace> inside;
    if (!options.net_namespace.empty()) inside.emplace(options.net_namespace);
    failed = posix_spawnp(&pid_, arguments.at(0).c_str(), &actions, &attributes, Pointers(arguments).data(),
                          Pointers(environment).data());
  }
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0)
    throw std::runtime_error(StrCat("cannot start ", Joined(args), ": ", std::strerror(failed)));
}

Subprocess::~Subprocess() {
  Kill();
  CloseInput();
  // A grandchild may hold the pipes open: it must not hang the test, so the readers are told by closing our
  // ends.
  for (Stream* stream : {&output_, &errors_}) {
    stream->reader.join();
    close(stream->fd);
  }
}

void Subprocess::Read(Stream* stream) {
  fcntl(stream->fd, F_SETFL, O_NONBLOCK);
  char buffer[64 * 1024];
  while (true) {
    const ssize_t got = read(stream->fd, buffer, sizeof(buffer));
    if (got > 0) {
      const std::lock_guard lock(mutex_);
      stream->text.append(buffer, static_cast<size_t>(got));
      changed_.notify_all();
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      {
        // The child is gone and nothing is left to read: what still holds the pipe is a grandchild.
        const std::lock_guard lock(mutex_);
        if (status_.has_value()) break;
      }
      std::this_thread::sleep_for(kPollStep);
      continue;
    }
    break;
  }
  const std::lock_guard lock(mutex_);
  stream->ended = true;
  changed_.notify_all();
}

std::string Subprocess::Output() const {
  const std::lock_guard lock(mutex_);
  return output_.text;
}

std::string Subprocess::Errors() const {
  const std::lock_guard lock(mutex_);
  return errors_.text;
}

bool Subprocess::Write(std::string_view text) {
  // A child that has gone must not end the test by SIGPIPE.
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  bool good = true;
  while (good && !text.empty()) {
    const ssize_t written = write(input_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    good = written > 0;
    if (good) text.remove_prefix(static_cast<size_t>(written));
  }
  const timespec now{};
  sigtimedwait(&pipe_signal, nullptr, &now);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return good;
}

void Subprocess::CloseInput() {
  if (input_ >= 0) close(std::exchange(input_, -1));
}

bool Subprocess::WaitForText(const Stream& stream, std::string_view text, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout,
                    [&] { return stream.ended || stream.text.find(text) != std::string::npos; });
  return stream.text.find(text) != std::string::npos;
}

bool Subprocess::WaitForOutput(std::string_view text, std::chrono::milliseconds timeout) {
  return WaitForText(output_, text, timeout);
}

bool Subprocess::WaitForErrors(std::string_view text, std::chrono::milliseconds timeout) {
  return WaitForText(errors_, text, timeout);
}

void Subprocess::Signal(int signal) {
  const std::lock_guard lock(mutex_);
  if (!status_.has_value()) kill(pid_, signal);
}

bool Subprocess::TryReap() {
  const std::lock_guard lock(mutex_);
  if (status_.has_value()) return true;
  int status = 0;
  const pid_t got = waitpid(pid_, &status, WNOHANG);
  if (got == 0 || (got < 0 && errno == EINTR)) return false;
  status_ = got < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

bool Subprocess::Running() {
  return !TryReap();
}

std::optional<int> Subprocess::Wait(std::chrono::milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  while (!TryReap()) {
    if (Clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(kPollStep);
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return output_.ended && errors_.ended; });
  return status_;
}

void Subprocess::Kill() {
  Signal(SIGKILL);
  Wait(std::chrono::seconds(30));
}

CommandResult RunCommand(std::vector<std::string> args, SubprocessOptions options,
                         std::chrono::milliseconds timeout) {
  Subprocess process(std::move(args), std::move(options));
  process.CloseInput();
  const std::optional<int> status = process.Wait(timeout);
  return {status.value_or(-1), process.Output(), process.Errors()};
}

std::string MustRun(std::vector<std::string> args, SubprocessOptions options) {
  const std::string command = Joined(args);
  const CommandResult result = RunCommand(std::move(args), std::move(options));
  if (result.status != 0) {
    throw std::runtime_error(StrCat("`", command, "` ended with ", result.status, ": ", result.errors));
  }
  return result.output;
}

}  // namespace cordon::testing
