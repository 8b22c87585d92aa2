#include "agent/flows/name_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"

namespace cordon::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

boost::asio::ip::address Address(const std::string& text) {
  return boost::asio::ip::make_address(text);
}

TEST(NameBook, TheNewestNameComesFirst) {
  NameBook book;
  EXPECT_THAT(book.NamesOf(Address("192.0.2.7")), IsEmpty());
  book.Note(Address("192.0.2.7"), "a.example");
  book.Note(Address("192.0.2.7"), "b.example");
  book.Note(Address("192.0.2.7"), "a.example");
  EXPECT_THAT(book.NamesOf(Address("192.0.2.7")), ElementsAre("a.example", "b.example"));
}

TEST(NameBook, IsBoundedInNamesAndAddresses) {
  NameBook book;
  for (int at = 0; at < 10; ++at) book.Note(Address("2001:db8::1"), StrCat("n", at, ".example"));
  EXPECT_THAT(book.NamesOf(Address("2001:db8::1")),
              ElementsAre("n9.example", "n8.example", "n7.example", "n6.example"));
  for (uint32_t at = 0; at < NameBook::kMaxAddresses; ++at) {
    book.Note(boost::asio::ip::address_v4(0x0A000000U + at), "x.example");
    if (at == 100) book.Note(Address("2001:db8::1"), "kept.example");  // seen again: the oldest no more
  }
  EXPECT_EQ(book.Size(), NameBook::kMaxAddresses);
  EXPECT_THAT(book.NamesOf(Address("10.0.0.0")), IsEmpty()) << "the oldest is forgotten";
  EXPECT_EQ(book.NamesOf(Address("2001:db8::1")).front(), "kept.example");
}

}  // namespace
}  // namespace cordon::agent
