#include "platform/linux/sandbox/channel.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "common/base/status.h"
#include "platform/api/sandboxed_child.h"

namespace cordon::platform {
namespace {

constexpr size_t kHeaderBytes = 4;

absl::Status Gone() {
  return absl::UnavailableError("the other side is gone");
}

absl::Status SendPiece(int socket, std::string_view* bytes, int file) {
  iovec piece{.iov_base = const_cast<char*>(bytes->data()), .iov_len = bytes->size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (file >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &file, sizeof(int));
  }
  while (true) {
    const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes->remove_prefix(static_cast<size_t>(sent));
      return absl::OkStatus();
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) return Gone();
    if (errno == EAGAIN) return absl::DeadlineExceededError("the other side takes nothing");
    return absl::ErrnoToStatus(errno, "cannot send");
  }
}

// Files come with a control message; what else comes that way, or more than one, is closed.
std::optional<Fd> TakeFile(msghdr* message) {
  std::optional<Fd> taken;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int file = -1;
      std::memcpy(&file, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      Fd owned(file);
      if (!taken.has_value()) taken.emplace(std::move(owned));
    }
  }
  return taken;
}

absl::StatusOr<size_t> ReceivePiece(int socket, std::span<char> into, std::optional<Fd>* file) {
  iovec piece{.iov_base = into.data(), .iov_len = into.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  while (true) {
    const ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return Gone();
    if (got < 0) return absl::ErrnoToStatus(errno, "cannot receive");
    if (std::optional<Fd> taken = TakeFile(&message); taken.has_value()) *file = std::move(taken);
    return static_cast<size_t>(got);
  }
}

absl::Status ReceiveAll(int socket, std::span<char> into, std::optional<Fd>* file,
                        const std::function<absl::Status()>& wait) {
  while (!into.empty()) {
    CORDON_RETURN_IF_ERROR(wait());
    CORDON_ASSIGN_OR_RETURN(const size_t got, ReceivePiece(socket, into, file));
    into = into.subspan(got);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SendMessage(int socket, std::string_view bytes, int file) {
  if (bytes.size() > kMaxSandboxMessageBytes) return absl::InvalidArgumentError("the message is too long");
  std::array<char, kHeaderBytes> header{};
  for (size_t i = 0; i < kHeaderBytes; ++i) {
    header[i] = static_cast<char>((bytes.size() >> (8 * i)) & 0xff);
  }
  std::string_view left(header.data(), header.size());
  CORDON_RETURN_IF_ERROR(SendPiece(socket, &left, file));
  while (!left.empty()) CORDON_RETURN_IF_ERROR(SendPiece(socket, &left, -1));
  while (!bytes.empty()) CORDON_RETURN_IF_ERROR(SendPiece(socket, &bytes, -1));
  return absl::OkStatus();
}

absl::StatusOr<ChannelMessage> ReceiveMessage(int socket, const std::function<absl::Status()>& wait) {
  ChannelMessage message;
  std::array<char, kHeaderBytes> header{};
  CORDON_RETURN_IF_ERROR(ReceiveAll(socket, header, &message.file, wait));
  size_t length = 0;
  for (size_t i = 0; i < kHeaderBytes; ++i) length |= size_t{static_cast<uint8_t>(header[i])} << (8 * i);
  if (length > kMaxSandboxMessageBytes) return absl::DataLossError("the message's length is out of bounds");
  message.bytes.resize(length);
  std::optional<Fd> stray;
  CORDON_RETURN_IF_ERROR(ReceiveAll(socket, message.bytes, &stray, wait));
  return message;
}

}  // namespace cordon::platform
