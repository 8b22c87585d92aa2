list(APPEND _sources
  packet_filter/intervals.cc packet_filter/leak_counter.cc packet_filter/listing.cc packet_filter/nft.cc
  packet_filter/nft_filter.cc packet_filter/notification.cc packet_filter/permits.cc packet_filter/readback.cc packet_filter/ruleset.cc
  packet_filter/ruleset_watcher.cc packet_filter/set_elements.cc packet_filter/table_finder.cc
  packet_filter/table_reader.cc packet_filter/transaction.cc packet_filter/watch.cc)
