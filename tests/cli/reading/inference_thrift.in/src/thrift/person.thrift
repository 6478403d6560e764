namespace java com.example
namespace py gen.people

include "place.thrift"
include "nowhere.thrift"
