#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace cordon::testing {

struct SubprocessOptions {
  std::vector<std::pair<std::string, std::string>> env;  // added to the test's own environment
  std::filesystem::path working_dir;                     // empty = the test's
  std::string net_namespace;                             // a NetNamespace's Name(); empty = the test's
  bool without_our_files = false;  // it holds none open: a server in this test can listen at its port again
};

// A child process of a test, started with posix_spawn. Its standard output and standard error are captured as
// they come. The destructor kills and reaps it. Thread-safe but for construction and destruction.
class Subprocess {
 public:
  // args[0] is a path, or a name looked up in PATH. Throws std::runtime_error when it cannot be started.
  explicit Subprocess(std::vector<std::string> args, SubprocessOptions options = {});
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;
  ~Subprocess();

  pid_t Pid() const { return pid_; }

  // What it has written so far, and its standard error.
  std::string Output() const;
  std::string Errors() const;

  // Writes to its standard input / closes it. False when the child has closed its end.
  bool Write(std::string_view text);
  void CloseInput();

  // True as soon as standard output (or standard error) contains `text`; false when the child ended or the
  // time passed.
  bool WaitForOutput(std::string_view text, std::chrono::milliseconds timeout = std::chrono::seconds(20));
  bool WaitForErrors(std::string_view text, std::chrono::milliseconds timeout = std::chrono::seconds(20));

  void Signal(int signal);

  // The exit status (128 + signal when a signal ended it), with all output read; nothing when it still runs.
  std::optional<int> Wait(std::chrono::milliseconds timeout = std::chrono::seconds(30));

  // SIGKILL, then Wait.
  void Kill();

  bool Running();

 private:
  struct Stream {
    int fd = -1;
    std::string text;
    bool ended = false;
    std::thread reader;
  };
  void Spawn(const std::vector<std::string>& args, const SubprocessOptions& options, int in, int out,
             int error);
  void Read(Stream* stream);
  bool WaitForText(const Stream& stream, std::string_view text, std::chrono::milliseconds timeout);
  bool TryReap();

  pid_t pid_ = -1;
  int input_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Stream output_;
  Stream errors_;
  std::optional<int> status_;
};

struct CommandResult {
  int status = -1;
  std::string output;
  std::string errors;
};

// Runs to its end. A command that does not end in time is killed and has status -1.
CommandResult RunCommand(std::vector<std::string> args, SubprocessOptions options = {},
                         std::chrono::milliseconds timeout = std::chrono::seconds(60));

// Its output. Throws std::runtime_error, with the command and its standard error, when it does not exit with
// 0.
std::string MustRun(std::vector<std::string> args, SubprocessOptions options = {});

}  // namespace cordon::testing
