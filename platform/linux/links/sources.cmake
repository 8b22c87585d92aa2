list(APPEND _sources links/link_news.cc links/link_table.cc links/link_watcher.cc)
