#pragma once

#include <string>
#include <string_view>

namespace cordon::agent {

// The id of the container that a cgroup path belongs to: the innermost run of exactly 64 hexadecimal digits
// between separators, as Docker, containerd, CRI-O and Podman name them ("/docker/<id>", "docker-<id>.scope",
// "cri-containerd-<id>.scope", "libpod-<id>.scope"); empty when there is none. Pure.
std::string ContainerIdOf(std::string_view cgroup);

}  // namespace cordon::agent
