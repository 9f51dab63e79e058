"""What adAnalytics knows: pivots, metrics, and which measure of the world stands behind each."""

from collections.abc import Mapping

PIVOT_LEVELS: Mapping[str, str] = {
    "ACCOUNT": "account", "COMPANY": "account", "CAMPAIGN_GROUP": "campaign", "CAMPAIGN": "ad_group",
    "CREATIVE": "ad", "SHARE": "ad", "MEMBER_COUNTRY_V2": "account",
}  # fmt: skip
# Known to LinkedIn; the world has nothing to tell about them, so they come back empty.
EMPTY_PIVOTS = frozenset([
    "CONVERSION", "CONVERSATION_NODE", "CONVERSATION_NODE_OPTION_INDEX", "SERVING_LOCATION", "CARD_INDEX",
    "MEMBER_COMPANY_SIZE", "MEMBER_INDUSTRY", "MEMBER_SENIORITY", "MEMBER_JOB_TITLE", "MEMBER_JOB_FUNCTION",
    "MEMBER_REGION_V2", "MEMBER_COMPANY", "MEMBER_COUNTRY", "MEMBER_REGION", "MEMBER_COUNTY", "IMPRESSION_DEVICE_TYPE",
    "PLACEMENT_NAME", "EVENT_STAGE", "OBJECTIVE_TYPE",
])  # fmt: skip
COUNTRY = "MEMBER_COUNTRY_V2"
GRANULARITIES = ("ALL", "DAILY", "MONTHLY", "YEARLY")
SORTABLE = ("COST_IN_LOCAL_CURRENCY", "IMPRESSIONS", "ONE_CLICK_LEADS", "OPENS", "SENDS",
            "EXTERNAL_WEBSITE_CONVERSIONS")  # fmt: skip
KEYS = ("dateRange", "pivotValues")
MOST_FIELDS = 20
REACH = "approximateMemberReach"
MOST_REACH_DAYS = 92

MONEY = {"costInLocalCurrency": "spend", "costInUsd": "spend", "conversionValueInLocalCurrency": "purchase_value"}
COUNTS = {
    "impressions": "impressions",
    "clicks": "clicks",
    "landingPageClicks": "link_clicks",
    "externalWebsiteConversions": "purchases",
    "externalWebsitePostClickConversions": "purchases_7d_click",
    "externalWebsitePostViewConversions": "purchases_1d_view",
    "videoViews": "video_views",
    "videoStarts": "video_views",
    "videoCompletions": "thruplays",
    REACH: "reach",
}
# Social actions: what the world counts as engagement beyond clicks and views.
SOCIAL = frozenset(["likes", "reactions"])
ENGAGEMENTS = "totalEngagements"
MEASURES = ("impressions", "clicks", "link_clicks", "video_views", "thruplays", "post_engagement", "reach", "spend",
            "purchases", "purchases_7d_click", "purchases_1d_view", "purchase_value")  # fmt: skip

_WITH_VIRAL_TWIN = frozenset([
    "impressions", "clicks", "landingPageClicks", "externalWebsiteConversions", "externalWebsitePostClickConversions",
    "externalWebsitePostViewConversions", "companyPageClicks", "oneClickLeads", "oneClickLeadFormOpens", "likes",
    "comments", "commentLikes", "shares", "follows", "reactions", "otherEngagements", "totalEngagements", "videoStarts",
    "videoViews", "videoFirstQuartileCompletions", "videoMidpointCompletions", "videoThirdQuartileCompletions",
    "videoCompletions", "fullScreenPlays", "cardImpressions", "cardClicks", "documentFirstQuartileCompletions",
    "documentMidpointCompletions", "documentThirdQuartileCompletions", "documentCompletions", "downloadClicks",
    "jobApplications", "jobApplyClicks", "postClickJobApplications", "postClickJobApplyClicks",
    "postViewJobApplications", "postViewJobApplyClicks", "registrations", "postClickRegistrations",
    "postViewRegistrations", "subscriptionClicks",
])  # fmt: skip
_WITHOUT_TWIN = frozenset([
    "actionClicks", "adUnitClicks", "textUrlClicks", "qualifiedLeads", "validWorkEmailLeads", "talentLeads",
    "appointmentsScheduled", "leadGenerationMailContactInfoShares", "leadGenerationMailInterestedClicks", "sends",
    "opens", "headlineImpressions", "headlineClicks",
])  # fmt: skip
_VIRAL = frozenset(f"viral{name[0].upper()}{name[1:]}" for name in _WITH_VIRAL_TWIN)
# What sandbox ads never do is 0 on every row.
ZEROS = (_WITH_VIRAL_TWIN | _WITHOUT_TWIN | _VIRAL) - {*COUNTS, *SOCIAL, ENGAGEMENTS}
# Known names without a value here: ratios of what never happens, the size of audiences, and what earlier versions
# of the API had (public connectors still ask for it).
ABSENT = frozenset([
    "averageDwellTime", "audiencePenetration", "costPerQualifiedLead", "costInLocalCurrencyPerPaidQualifiedLead",
    "approximateUniqueImpressions", "averageDailyReachMetrics", "averagePreviousSevenDayReachMetrics",
    "averagePreviousThirtyDayReachMetrics",
])  # fmt: skip
METRICS = frozenset([*COUNTS, *MONEY, *SOCIAL, ENGAGEMENTS, *ZEROS, *ABSENT])
NOT_BY_MEMBER = frozenset(["conversionValueInLocalCurrency", REACH, "audiencePenetration", "cardImpressions",
                           "cardClicks", "viralCardImpressions", "viralCardClicks"])  # fmt: skip
