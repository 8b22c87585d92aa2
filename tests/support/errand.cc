// Does one thing that its arguments say and ends with 0, or with 1 and a line on standard error: for tests of
// what another process does, on every system.
//   write FILE TEXT | append FILE TEXT | many FILE-PREFIX COUNT | rename FROM TO | remove FILE
//   folders PATH | remove-all PATH | read-only FILE | writable FILE | sleep MILLISECONDS | exit CODE
//   MILLISECONDS connect PORT MILLISECONDS

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;

void Write(const std::string& path, const std::string& text, std::ios::openmode mode) {
  std::ofstream file(path, std::ios::binary | mode);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

void Sleep(const std::string& millis) {
  std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(millis)));
}

// A connection to this host, by IPv4, that stands for a time.
void Connect(const std::string& port, const std::string& millis) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket socket(context);
  socket.connect({boost::asio::ip::address_v4::loopback(), static_cast<uint16_t>(std::stoi(port))});
  Sleep(millis);
}

void Do(const std::string& what, const std::vector<std::string>& with) {
  if (what == "write") {
    Write(with.at(0), with.at(1), std::ios::trunc);
  } else if (what == "append") {
    Write(with.at(0), with.at(1), std::ios::app);
  } else if (what == "many") {
    for (int at = 1; at <= std::stoi(with.at(1)); ++at)
      Write(with.at(0) + std::to_string(at), std::to_string(at), std::ios::trunc);
  } else if (what == "rename") {
    fs::rename(with.at(0), with.at(1));
  } else if (what == "remove") {
    fs::remove(with.at(0));
  } else if (what == "folders") {
    fs::create_directories(with.at(0));
  } else if (what == "remove-all") {
    fs::remove_all(with.at(0));
  } else if (what == "read-only") {
    fs::permissions(with.at(0), fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write,
                    fs::perm_options::remove);
  } else if (what == "writable") {
    fs::permissions(with.at(0), fs::perms::owner_write, fs::perm_options::add);
  } else if (what == "sleep") {
    Sleep(with.at(0));
  } else if (what == "connect") {
    Connect(with.at(0), with.at(1));
  } else {
    throw std::runtime_error("no such errand: " + what);
  }
}

}  // namespace

int main(int count, char** arguments) try {
  const std::vector<std::string> with(arguments + 1, arguments + count);
  if (with.at(0) == "exit") {
    Sleep(with.at(2));
    return std::stoi(with.at(1));
  }
  Do(with[0], {with.begin() + 1, with.end()});
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "errand: %s\n", error.what());
  return 1;
}
