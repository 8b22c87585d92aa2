// A program for tests of rules that name a program: it is copied to a path of the test's own and does one
// thing after the other with one socket. Prints a line for each that answers something, and ends with 1 at
// the first that fails.
//
//   tcp4 tcp6 udp4 udp6 icmp4   open a socket              mark            print its mark
//   connect A P · send A P      open a flow                listen A P      accept, and go on with that socket
//   bind A P                    receive datagrams          say · hear      a byte; hear says who sent it
//   fork                        a child goes on            exec PATH       PATH goes on with the socket
//   pass PATH                   PATH goes on with the socket, which it gets by SCM_RIGHTS
//   ready                       print "ready" and wait for a line of input
//   fd N · receive N            adopt a descriptor · receive one over it
//   patience MILLISECONDS       of connect and hear

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr int kPatienceMillis = 3000;

struct Peer {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* Get() { return reinterpret_cast<sockaddr*>(&storage); }
};

[[noreturn]] void Fail(const std::string& what) {
  std::printf("failed: %s: %s\n", what.c_str(), std::strerror(errno));
  std::fflush(stdout);
  std::exit(1);
}

void Tell(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

class Caller {
 public:
  explicit Caller(std::vector<std::string> words) : words_(std::move(words)) {}

  void Run() {
    while (at_ < words_.size()) Do(Next());
  }

 private:
  std::string Next() {
    if (at_ == words_.size()) Fail("a word is missing");
    return words_[at_++];
  }

  Peer NextAddress() {
    Peer peer;
    const std::string text = Next();
    const auto port = static_cast<uint16_t>(std::stoi(Next()));
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      std::memcpy(&peer.storage, &v4, sizeof(v4));
      peer.size = sizeof(v4);
    } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      std::memcpy(&peer.storage, &v6, sizeof(v6));
      peer.size = sizeof(v6);
    } else {
      Fail("not an address: " + text);
    }
    return peer;
  }

  void Open(int family, int type, int protocol = 0) {
    socket_ = socket(family, type, protocol);  // inherited by exec
    if (socket_ < 0) Fail("socket");
    const int one = 1;
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  }

  void Await(short events, const char* what) const {
    pollfd wait{socket_, events, 0};
    errno = ETIMEDOUT;
    if (poll(&wait, 1, patience_) != 1) Fail(what);
  }

  void Connect() {
    Peer peer = NextAddress();
    timeval patience{.tv_sec = patience_ / 1000, .tv_usec = patience_ % 1000 * 1000};
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(socket_, peer.Get(), peer.size) != 0) Fail("connect");
    Tell("connected");
  }

  void Bind(bool listening) {
    Peer here = NextAddress();
    if (bind(socket_, here.Get(), here.size) != 0) Fail("bind");
    if (!listening) return Tell("bound");
    if (listen(socket_, 8) != 0) Fail("listen");
    Tell("listening");
    const int accepted = accept(socket_, nullptr, nullptr);
    if (accepted < 0) Fail("accept");
    listener_ = std::exchange(socket_, accepted);
    Tell("accepted");
  }

  void Hear() {
    char byte = 0;
    Await(POLLIN, "hear");
    from_ = Peer();
    if (recvfrom(socket_, &byte, 1, 0, from_.Get(), &from_.size) != 1) Fail("hear");
    Tell("heard");
  }

  void Say() {
    const bool answers = from_.size > 0 && from_.storage.ss_family != AF_UNSPEC;
    const ssize_t sent = answers ? sendto(socket_, "a", 1, MSG_NOSIGNAL, from_.Get(), from_.size)
                                 : send(socket_, "a", 1, MSG_NOSIGNAL);
    if (sent != 1) Fail("say");
    Tell("said");
  }

  void Send() {
    Peer peer = NextAddress();
    // An echo request; as good as any datagram elsewhere.
    const std::array<char, 9> bytes = {8, 0, 0x7f, static_cast<char>(0xfd), 0, 1, 0, 1, 'x'};
    if (sendto(socket_, bytes.data(), bytes.size(), 0, peer.Get(), peer.size) < 0) Fail("send");
    Tell("sent");
  }

  void Mark() const {
    uint32_t mark = 0;
    socklen_t size = sizeof(mark);
    if (getsockopt(socket_, SOL_SOCKET, SO_MARK, &mark, &size) != 0) Fail("mark");
    std::printf("mark %u\n", mark);
    std::fflush(stdout);
  }

  void Fork() {
    const pid_t child = fork();
    if (child == 0) return;
    int status = 0;
    waitpid(child, &status, 0);
    std::exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }

  [[noreturn]] void Exec(const std::string& path, std::vector<std::string> first) {
    first.insert(first.begin(), path);
    first.insert(first.end(), words_.begin() + static_cast<std::ptrdiff_t>(at_), words_.end());
    std::vector<char*> words;
    words.reserve(first.size() + 1);
    for (std::string& word : first) words.push_back(word.data());
    words.push_back(nullptr);
    execv(path.c_str(), words.data());
    Fail("exec");
  }

  void Pass() {
    const std::string path = Next();
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) Fail("socketpair");
    const pid_t child = fork();
    if (child == 0) {
      close(socket_);  // it has no other way to the socket
      close(ends[0]);
      Exec(path, {"receive", std::to_string(ends[1])});
    }
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &socket_, sizeof(int));
    if (sendmsg(ends[0], &message, 0) != 1) Fail("pass");
    int status = 0;
    waitpid(child, &status, 0);
    std::exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }

  void Receive() {
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const int over = std::stoi(Next());
    if (recvmsg(over, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == nullptr) Fail("receive");
    std::memcpy(&socket_, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
  }

  static void Ready() {
    Tell("ready");
    if (std::getchar() == EOF) std::exit(1);
  }

  void Do(const std::string& verb) {
    if (verb == "tcp4") return Open(AF_INET, SOCK_STREAM);
    if (verb == "tcp6") return Open(AF_INET6, SOCK_STREAM);
    if (verb == "udp4") return Open(AF_INET, SOCK_DGRAM);
    if (verb == "udp6") return Open(AF_INET6, SOCK_DGRAM);
    if (verb == "icmp4") return Open(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (verb == "connect") return Connect();
    if (verb == "listen") return Bind(true);
    if (verb == "bind") return Bind(false);
    if (verb == "hear") return Hear();
    if (verb == "say") return Say();
    if (verb == "send") return Send();
    if (verb == "mark") return Mark();
    if (verb == "fork") return Fork();
    if (verb == "exec") return Exec(Next(), {"fd", std::to_string(socket_)});
    if (verb == "pass") return Pass();
    if (verb == "ready") return Ready();
    if (verb == "receive") return Receive();
    if (verb == "patience") {
      patience_ = std::stoi(Next());
      return;
    }
    if (verb == "fd") {
      socket_ = std::stoi(Next());
      return;
    }
    Fail("no such verb: " + verb);
  }

  std::vector<std::string> words_;
  size_t at_ = 0;
  int socket_ = -1;
  int patience_ = kPatienceMillis;
  int listener_ = -1;  // stays open
  Peer from_{.storage = {}, .size = 0};
};

}  // namespace

int main(int argc, char** argv) {
  Caller(std::vector<std::string>(argv + 1, argv + argc)).Run();
  return 0;
}
